"""Plain twins: a date window decided as it is read, one plane after the other; planes read when they are needed."""

from catalogs.bands import find_sensor
from catalogs.journal import Failure
from catalogs.masks import mask_shares
from curate.choose import order_combinations, spread
from curate.decide import place_in_words
from curate.errors import SourceUnavailableError
from curate.fetch import band_asks, band_patches, has_mask, mask_ask, mask_patch, read_plane, valid_percent


def read_mask(source, scene, location):
    """The mask of a scene over a square."""
    return mask_patch(scene, read_plane(source, mask_ask(scene, location)))


def read_bands(source, scene, bands, location):
    """The measurements of a scene over a square."""
    return band_patches(scene, bands, [read_plane(source, ask) for ask in band_asks(scene, bands, location)])


def plain_unit(assembler, places, *, reader, stop):
    """Twin of `build_unit`: one location after the other, and of each one season after the other."""
    source = assembler.source
    for location, wanted in places:
        seasons = assembler.begin(location, wanted)
        for season in seasons:
            while season.wish:
                asks = [assembler.asks(scene, location, masks=season.wish.masks) for scene in season.wish.scenes]
                planes = [[read_plane(source, ask) for ask in each] for each in asks]
                seen = zip(season.wish.scenes, planes, strict=True)
                season.take([assembler.answer(scene, each, masks=season.wish.masks) for scene, each in seen])
        outcomes = [season.outcome for season in seasons]
        failures = [each for each in outcomes if isinstance(each, Failure)]
        yield location, [item for each in outcomes if isinstance(each, list) for item in each], failures


class PlainDecision:
    """The straight way to decide: it reads what it needs at once, and never more."""

    def __init__(self, location, window, candidates, limits, *, see_mask, see_bands):
        self.location, self.window, self.candidates, self.limits = location, window, candidates, limits
        self.see_mask, self.see_bands = see_mask, see_bands
        self.shares, self.missing = {}, {}

    def decide(self):
        """The ids of the scenes to keep, or a failure."""
        try:
            for combination in order_combinations(self.candidates, self.limits.max_delta_days, self.is_clear):
                if all(self.is_clear(c) for c in combination) and all(self.is_whole(c) for c in combination):
                    return [candidate.scene.id for candidate in combination]
            return self.failure()
        except SourceUnavailableError as error:
            message = f"{place_in_words(self.location)} in {self.window.text}: {error}"
            sensors = "+".join(self.candidates)
            return Failure(self.location.id, self.window.season, sensors, "unreadable", message, transient=True)

    def not_clear(self, candidate):
        scene = candidate.scene
        if scene.id not in self.shares:
            mask = self.see_mask(scene) if has_mask(scene) else None
            self.shares[scene.id] = mask_shares(mask.pixels[0], find_sensor(scene.sensor).mask.name).not_clear if mask else 0.0
        return max(self.shares[scene.id], self.missing.get(scene.id, 0.0))

    def is_clear(self, candidate):
        return self.not_clear(candidate) <= self.limits.max_cloud

    def is_whole(self, candidate):
        if candidate.scene.id not in self.missing:
            patches = self.see_bands(candidate.scene)
            self.missing[candidate.scene.id] = 100 - valid_percent(patches) if patches else 100.0
        return self.is_clear(candidate)

    def failure(self):
        for sensor, found in self.candidates.items():
            if not found:
                return self.failed(sensor, "no-scene", "")
        best = {sensor: min(map(self.not_clear, found)) for sensor, found in self.candidates.items()}
        for sensor, found in self.candidates.items():
            if best[sensor] > self.limits.max_cloud:
                return self.failed(sensor, "not-clear", f"candidate{'s' if len(found) > 1 else ''} has {best[sensor]:.1f} %")
        clear = {sensor: [c for c in found if self.is_clear(c)] for sensor, found in self.candidates.items()}
        days = spread(next(order_combinations(clear, None, self.is_clear))).total_seconds() / 86400
        return self.failed("+".join(clear), "too-far-apart", f"are {days:.1f} days apart")

    def failed(self, sensor, reason, message):
        return Failure(self.location.id, self.window.season, sensor, reason, message)
