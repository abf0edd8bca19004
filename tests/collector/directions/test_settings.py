"""Settings by version: who may change them, what a station fetches, and what is refused. Both databases."""

from typing import Any

import pytest
from nacl.signing import SigningKey

from collector.errors import BadInputError, NotAllowedError, NotFoundError
from shared.wire.directions import SettingsAnswer
from tests.collector.directions.conftest import Bureau

VOLUME: dict[str, Any] = {"probes": {"audio": {"listen_s": 0.5}}}


def test_without_any_settings_the_version_is_zero(bureau: Bureau) -> None:
    answer = bureau.fetch()

    assert bureau.push().settings_version == 0
    assert (answer.status_code, answer.json(), answer.headers["etag"]) == (200, {"version": 0, "settings": {}}, '"0"')


def test_a_changed_document_is_announced_fetched_and_then_unchanged(bureau: Bureau) -> None:
    version = bureau.set("主任", VOLUME | {"heartbeat_s": 600, "open_hours": ["1-5 08:30-18:00"]})

    assert bureau.push().settings_version == version
    fetched = SettingsAnswer.model_validate_json(bureau.fetch(have=version - 1).content)
    assert fetched.version == version
    assert fetched.settings == VOLUME | {"heartbeat_s": 600, "open_hours": ["1-5 08:30-18:00"]}
    unchanged = bureau.fetch(have=version)
    assert (unchanged.status_code, unchanged.content) == (304, b"")


def test_a_stations_own_document_goes_field_by_field_over_the_districts(bureau: Bureau) -> None:
    bureau.set("主任", {"heartbeat_s": 600, "probes": {"audio": {"listen_s": 0.5, "timeout_s": 2}}}, station_id=None)
    own = bureau.set("主任", {"probes": {"audio": {"timeout_s": 5}, "alsa": {"enabled": False}}})

    fetched = bureau.fetch().json()

    assert fetched["version"] == own
    assert fetched["settings"] == {
        "heartbeat_s": 600,
        "probes": {"audio": {"listen_s": 0.5, "timeout_s": 5}, "alsa": {"enabled": False}},
    }


def test_a_change_for_the_district_moves_every_stations_version(bureau: Bureau) -> None:
    own = bureau.set("主任", VOLUME)
    common = bureau.set("主任", {"heartbeat_s": 900}, station_id=None)

    assert common > own
    assert bureau.push().settings_version == common


def test_taking_settings_back_is_a_new_version_too(bureau: Bureau) -> None:
    before = bureau.set("主任", VOLUME)
    after = bureau.set("主任", {})

    assert after > before
    assert bureau.fetch().json() == {"version": after, "settings": {}}


def test_settings_of_another_station_are_not_told(bureau: Bureau) -> None:
    bureau.set("主任", VOLUME, station_id=bureau.district.stations["三堆镇 石龙村"])

    assert bureau.push().settings_version == 0


@pytest.mark.parametrize("name", ["宝轮镇骨干", "宝轮镇管理员"])
def test_only_the_centre_may_change_settings(bureau: Bureau, name: str) -> None:
    with pytest.raises(NotAllowedError):
        bureau.set(name, VOLUME)


def test_settings_for_a_station_that_is_not_there_are_refused(bureau: Bureau) -> None:
    with pytest.raises(NotFoundError):
        bureau.set("主任", VOLUME, station_id=99)


@pytest.mark.parametrize(
    "document",
    [
        {"probes": {"host": {"smartctl": "/srv/evil"}}},
        {"probes": {"textfile": {"directory": "/etc"}}},
        {"probes": {"projector": {"password": "x"}}},
        {"probes": {"audio": {"server": "unix:/tmp/x"}}},
        {"probes": {"shell": {"enabled": True}}},
        {"probes": {"shell": {}}},
        {"probes": {"audio": {"no_such": 1}}},
        {"probes": {"audio": 3}},
        {"heartbeat_s": 1},
        {"open_hours": ["whenever"]},
        {"state_dir": "/srv"},
        {"centre": "https://elsewhere.example"},
        {"probes": {"courseware": {"suffixes": [".mp4" * 20_000]}}},
    ],
)
def test_what_no_station_lets_be_set_is_refused(bureau: Bureau, document: dict[str, Any]) -> None:
    with pytest.raises(BadInputError):
        bureau.set("主任", document)
    assert bureau.audited() == []


def test_a_change_is_in_the_audit_trail(bureau: Bureau) -> None:
    version = bureau.set("主任", VOLUME)

    assert bureau.audited() == [
        ("settings.changed", "station/1", bureau.district.people["主任"], {"version": version, "settings": VOLUME})
    ]


def test_a_fetch_must_be_signed_by_the_station_for_this_very_request(bureau: Bureau) -> None:
    stranger = bureau.fetch(key=SigningKey.generate())
    other_request = bureau.fetch(method="POST")
    unsigned = bureau.client.get("/api/v1/settings")

    assert [each.status_code for each in (stranger, other_request, unsigned)] == [401] * 3
