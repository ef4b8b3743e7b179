"""[log]: format and debug_accounts."""

from pathlib import Path

from cccamd.setup.toml import LogTable, parse


def test_log_table() -> None:
    text = '[log]\nformat = "json"\ndebug_accounts = ["anna", "ben"]\n'
    parsed = parse(text, kinds={}, folder=Path())
    assert not parsed.problems
    assert parsed.config.log == LogTable(format="json", debug_accounts=("anna", "ben"))


def test_a_wrong_format_is_named_and_all_stays_as_it_was() -> None:
    parsed = parse('[log]\nformat = "xml"\n', kinds={}, folder=Path())
    (problem,) = parsed.problems
    assert 'expected "text" or "json"' in str(problem)
    assert parsed.config.log == LogTable()
