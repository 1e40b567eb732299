"""Finds the engine for a role: one of the profile, or a model that the run itself has trained."""

from collections.abc import Iterator
from contextlib import contextmanager

from infra import engines
from infra.lake import model_store
from schemas.engine_specs import EngineSpec
from schemas.errors import BadInput
from schemas.profile import Profile
from schemas.receipts import Receipt
from schemas.steps import Stage, TrainingStep


class Roles:
    """The engines of one run. Missing or unsuitable roles are reported before any row is processed."""

    def __init__(self, profile: Profile, lake: str) -> None:
        self.profile, self.lake = profile, lake
        self.trained_roles: dict[str, EngineSpec] = {}

    def require_roles(self, *steps: Stage | TrainingStep) -> None:
        """Raises `BadInput` if one of `steps` needs a role that the profile lacks or that cannot be trained."""
        for step in steps:
            self.find_engine(step) if isinstance(step, Stage) else self.find_base_engine(step)

    def require_trainable(self, *roles: str) -> None:
        """Raises `BadInput` if the engine of one of `roles` could not load a model that is trained here."""
        for role in roles:
            try:
                model_store.format_of(self._spec_of_role(role))
            except ValueError as error:
                raise BadInput(f"role {role!r}: {error}") from error

    @contextmanager
    def with_models(self, **trained: Receipt) -> Iterator[None]:
        """Within this context, trained models play the given roles."""
        before = self.trained_roles
        self.trained_roles = before | {role: self._spec_of_trained(role, receipt) for role, receipt in trained.items()}
        try:
            yield
        finally:
            self.trained_roles = before

    def find_engine(self, stage: Stage | TrainingStep) -> EngineSpec | None:
        """Return the engine of the stage's role, its model named by content; raises `BadInput` if there is none."""
        if stage.role is None:
            return None
        if stage.role in self.trained_roles:
            return self.trained_roles[stage.role]
        if (spec := self.profile.roles.get(stage.role)) is None:
            offered = ", ".join(sorted(self.profile.roles)) or "none"
            raise BadInput(f"stage {stage.label} needs the role {stage.role!r}; the profile offers: {offered}")
        try:
            return engines.pin_model(spec)
        except ValueError as error:
            raise BadInput(f"role {stage.role!r}: {error}") from error

    def find_base_engine(self, step: TrainingStep) -> EngineSpec:
        """Return the engine whose model `step` starts from; raises `BadInput` if it has no weights."""
        spec = self.find_engine(step)
        if spec is None:
            raise BadInput(f"training {step.label} starts from no model; give it the role of one, e.g. role='solver'")
        try:
            model_store.check_base(spec)
        except ValueError as error:
            raise BadInput(f"role {step.role!r}: {error}") from error
        return spec

    def _spec_of_trained(self, role: str, trained: Receipt) -> EngineSpec:
        """Return the engine of `role` with a trained model; raises `BadInput` if no engine can load it."""
        try:
            return model_store.spec_for_trained(trained, self._spec_of_role(role), self.lake)
        except ValueError as error:
            raise BadInput(f"role {role!r}: {error}") from error

    def _spec_of_role(self, role: str) -> EngineSpec:
        """Return the engine that the profile names for `role`; raises `BadInput` if it names none."""
        if (spec := self.profile.roles.get(role)) is None:
            raise BadInput(f"nothing plays the role {role!r}; name an engine for it in the profile")
        return spec
