"""The wire as JSON Schema, for those who write an agent in another language: `python -m shared.wire.schema`.

Made from the models, never edited; the tests compare it with the committed `v1.schema.json`.
"""

import json
import sys

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from shared.wire import directions, kinds, releases, states, v1

MESSAGES = (
    v1.Envelope,
    v1.Event,
    v1.Answer,
    v1.EnrolRequest,
    v1.EnrolAnswer,
    v1.RotateRequest,
    v1.RotateAnswer,
    directions.Command,
    directions.SettingsAnswer,
    releases.ReleaseAnswer,
)
STATES = (
    states.CoursewareState,
    states.PlaybackState,
    states.ProjectorState,
    states.AudioState,
    states.HostState,
    states.ClockState,
    states.DisplayState,
    states.AlsaState,
    states.TextfileState,
)


def make_schema() -> str:
    """The text of `v1.schema.json`: every message, every kind of event, every sensor's state."""
    models: list[type[BaseModel]] = [*MESSAGES, *dict.fromkeys(kinds.KINDS.values()), *STATES]
    _, schema = models_json_schema([(model, "validation") for model in models], title="Yuanjiao wire, version 1")
    schema["x-kinds"] = {kind: {"$ref": f"#/$defs/{model.__name__}"} for kind, model in kinds.KINDS.items()}
    return json.dumps(schema, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(make_schema())
