"""The proving ground: math word problems drawn from templates, whose answers are computed exactly."""
