// The view as the server has it: parts, each a table of rows by key. A row that has changed is
// another object, so whoever has drawn a row sees whether it is still the same.

export class View {
  version = "";
  #parts = new Map();

  // Takes all of it, and says which parts there are.
  replace({ version, parts }) {
    this.version = version;
    const names = new Set([...this.#parts.keys(), ...Object.keys(parts)]);
    this.#parts = new Map(Object.entries(parts).map(([name, { put }]) => [name, new Map(Object.entries(put))]));
    return names;
  }

  // Takes a difference, and says which parts it changed; null: it does not begin at our version.
  change({ version, from, parts }) {
    if (from !== this.version) return null;
    this.version = version;
    for (const [name, { put = {}, gone = [] }] of Object.entries(parts)) {
      const rows = this.table(name);
      for (const key of gone) rows.delete(key);
      for (const [key, fields] of Object.entries(put)) rows.set(key, { ...rows.get(key), ...fields });
    }
    return new Set(Object.keys(parts));
  }

  table(name) {
    if (!this.#parts.has(name)) this.#parts.set(name, new Map());
    return this.#parts.get(name);
  }

  rows(name) {
    return [...this.table(name).values()];
  }

  get server() {
    return this.table("server").get("");
  }
}
