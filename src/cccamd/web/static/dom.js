// Builds elements and keeps the page in step with new values. Values become text, never markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (name === "style") {
      for (const [property, text] of Object.entries(value)) element.style.setProperty(property, text);
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  element.append(...nodes(children));
  return element;
}

// What is left out of a page is written as null, false or an empty text.
function nodes(children) {
  const wanted = children.flat(Infinity).filter((child) => child || child === 0);
  return wanted.map((child) => (child instanceof Node ? child : document.createTextNode(child)));
}

export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function s(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

// Makes `old` look like `fresh` and keeps what is the same: focus, scroll places and open
// details survive. Children with a data-key are found again wherever they have moved.
export function patch(old, fresh) {
  if (old === fresh) return old;
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
    return fresh;
  }
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return old;
  }
  patchAttributes(old, fresh);
  patchChildren(old, [...fresh.childNodes]);
  return old;
}

function patchAttributes(old, fresh) {
  for (const { name } of [...old.attributes]) {
    if (name !== "style" && !fresh.hasAttribute(name) && !isOpen(old, name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (name !== "style" && !isOpen(old, name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  if (old.hasAttribute("style") || fresh.hasAttribute("style")) patchStyle(old.style, fresh.style);
}

// Whether details stand open is up to whoever reads them.
function isOpen(element, attribute) {
  return attribute === "open" && element.nodeName === "DETAILS";
}

// Our content policy refuses a style that is set as an attribute; property by property it may be.
function patchStyle(old, fresh) {
  for (const property of [...old]) if (!fresh.getPropertyValue(property)) old.removeProperty(property);
  for (const property of fresh) {
    const value = fresh.getPropertyValue(property);
    if (old.getPropertyValue(property) !== value) old.setProperty(property, value);
  }
}

export function patchChildren(parent, children) {
  const fresh = nodes([...children]);
  const known = new Map();
  for (const child of parent.childNodes) {
    if (child.dataset?.key) known.set(child.dataset.key, child);
  }
  fresh.forEach((wanted, index) => {
    const key = wanted.dataset?.key;
    const here = parent.childNodes[index];
    const same = key ? known.get(key) : here?.dataset?.key ? undefined : here;
    if (!same) {
      parent.insertBefore(wanted, here ?? null);
      return;
    }
    if (same !== here) parent.insertBefore(same, here ?? null);
    patch(same, wanted);
  });
  while (parent.childNodes.length > fresh.length) parent.lastChild.remove();
}
