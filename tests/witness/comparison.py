"""Figures of a comparison, `comparison.json`: what numpy and scipy make of the same rows.

Each case has paired lengths (variant, baseline). Written down are medians and means of both, and the
mean of their differences with scipy's 95 % percentile bootstrap interval. The resampled indices come
from the stream that the engine documents (SplitMix64, Lemire's method), written out below; scipy takes
the distribution of means made with them (`bootstrap_result`) and makes the interval. scipy's own
resamples must give nearly the same interval: so the stream is a fair one.

Tables of seeds by questions are resampled in both directions at once: a resample draws seeds, then questions,
and every drawn seed answers the same drawn questions (Owen 2007, "The pigeonhole bootstrap"). scipy has no
such resampling; numpy takes the means of the drawn tables, and scipy's percentiles of them are the interval.
"""

import argparse
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from scipy import stats

REPOSITORY = Path(__file__).resolve().parents[2]
RESAMPLES = 10_000
SEED = 0x53544550_4C414444
MASK = (1 << 64) - 1


class Stream:
    """The engine's `comparison::statistics::Stream`."""

    def __init__(self, number):
        self.state = SEED ^ number
        self.state = self.next()

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        mixed = self.state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
        return mixed ^ (mixed >> 31)

    def below(self, bound):
        while True:
            wide = self.next() * bound
            if (wide & MASK) >= (-bound & MASK) % bound:
                return wide >> 64


def interval(differences, stream):
    random, count = Stream(stream), len(differences)
    indices = np.array([[random.below(count) for _ in range(count)] for _ in range(RESAMPLES)])
    means = differences[indices].mean(axis=1)
    made = SimpleNamespace(bootstrap_distribution=means)
    found = stats.bootstrap(
        (differences,), np.mean, n_resamples=0, method="percentile", confidence_level=0.95, bootstrap_result=made
    ).confidence_interval
    own = stats.bootstrap(
        (differences,), np.mean, n_resamples=RESAMPLES, method="percentile", rng=np.random.default_rng(7)
    ).confidence_interval
    error = differences.std() / np.sqrt(count)
    assert abs(found.low - own.low) <= 0.15 * error and abs(found.high - own.high) <= 0.15 * error, (found, own)
    # Nothing but the given distribution went into it.
    assert np.allclose(found, np.percentile(means, [2.5, 97.5]), rtol=1e-14), found
    return float(found.low), float(found.high)


def crossed_interval(table, stream):
    random, (seeds, questions) = Stream(stream), table.shape
    means = np.empty(RESAMPLES)
    for number in range(RESAMPLES):
        rows = [random.below(seeds) for _ in range(seeds)]
        columns = [random.below(questions) for _ in range(questions)]
        drawn = table[np.ix_(rows, columns)]
        means[number] = np.nan if np.isnan(drawn).all() else np.nanmean(drawn)
    means = means[~np.isnan(means)]
    found = [float(stats.scoreatpercentile(means, percent)) for percent in (2.5, 97.5)]
    assert np.allclose(found, np.percentile(means, [2.5, 97.5]), rtol=1e-14), found
    # The variance of such a mean is that of seeds, of questions and of what is left, each counted once:
    # for a full table it is known, and the resamples must have it.
    if not np.isnan(table).any() and seeds > 2:
        among_seeds, among_questions = table.mean(axis=1).var() / seeds, table.mean(axis=0).var() / questions
        left = (table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + table.mean()).var()
        expected = among_seeds + among_questions + left / (seeds * questions)
        assert abs(means.var() / expected - 1) < 0.1, (means.var(), expected)
    return found


def table(seed, seeds, questions, missing):
    random = np.random.default_rng(seed)
    values = random.integers(0, 300, questions) + random.integers(-40, 40, (seeds, 1)) + random.integers(-30, 30, (seeds, questions))
    values = values.astype(float)
    values[random.random(values.shape) < missing] = np.nan
    return values


TABLES = {
    "full": table(11, 3, 60, 0.0),
    "with gaps": table(12, 3, 25, 0.3),
    "one seed": table(13, 1, 40, 0.0),
    "shares": (table(14, 3, 100, 0.1) > 100).astype(float),
}


def lengths(seed, count, scale, shift):
    random = np.random.default_rng(seed)
    baseline = random.integers(1, scale, count)
    variant = np.maximum(0, (baseline * random.uniform(0.2, 1.3, count) + shift).astype(int))
    return variant, baseline


CASES = {
    "two": (np.array([4, 9]), np.array([10, 11])),
    "few": lengths(1, 7, 40, 0),
    "even": lengths(2, 20, 300, -5),
    "many": lengths(3, 201, 2000, 30),
    "no difference": (np.full(12, 31), np.full(12, 31)),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=REPOSITORY / "tests" / "goldens")
    output = parser.parse_args().output
    cases = []
    for stream, (name, (variant, baseline)) in enumerate(CASES.items()):
        differences = (variant - baseline).astype(float)
        low, high = interval(differences, stream) if len(differences) > 1 else (None, None)
        print(f"{name}: {differences.mean():+.3f} [{low:+.3f}, {high:+.3f}]")
        cases.append(
            dict(
                name=name,
                stream=stream,
                variant=variant.tolist(),
                baseline=baseline.tolist(),
                median=[float(np.median(variant)), float(np.median(baseline))],
                mean=[float(np.mean(variant)), float(np.mean(baseline))],
                difference=dict(mean=float(differences.mean()), low=low, high=high),
            )
        )
    tables = []
    for stream, (name, values) in enumerate(TABLES.items(), 100):
        low, high = crossed_interval(values, stream)
        print(f"{name}: {np.nanmean(values):+.3f} [{low:+.3f}, {high:+.3f}]")
        rows = [[None if np.isnan(value) else float(value) for value in row] for row in values]
        tables.append(
            dict(name=name, stream=stream, table=rows, interval=dict(mean=float(np.nanmean(values)), low=low, high=high))
        )
    output.mkdir(parents=True, exist_ok=True)
    (output / "comparison.json").write_text(json.dumps(dict(cases=cases, tables=tables)) + "\n")


if __name__ == "__main__":
    main()
