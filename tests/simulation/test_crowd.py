"""A large fleet in virtual time, made small (docs/simulation.md)."""

from simcrowd import DEADLINE, Crowd, live_through_crowd


def test_what_befalls_a_fleet_costs_asks_and_nobody_his_cw() -> None:
    crowd = Crowd(nodes=6, clients=300, channels=20)
    scenes = {seen.what: seen for seen in live_through_crowd(crowd, 10.0)}
    assert all(seen.unanswered == 0 for seen in scenes.values())
    assert all(max(seen.waits) < DEADLINE for seen in scenes.values())
    asks = {what: seen.asks / seen.ecms for what, seen in scenes.items()}
    assert asks["all is well"] < 1.1
    assert asks["the engine is killed, and away"] > 2.0, "each node asks for itself"
    assert asks["after that"] < 1.1, "something had to be repaired"
    assert asks["two halves, each with an engine of its own"] < 2.2
    assert len(scenes["all is well"].waits) == 300, "a CW for each client in each period"
    well = scenes["all is well"].commands
    assert 300 * 0.9 < well["seat"] < 300 * 1.1, "each seat is kept up every ten seconds"
