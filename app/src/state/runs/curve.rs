//! A curve as it is drawn: few enough points for a frame, and none of the extremes lost.
//!
//! The visible range is cut into buckets of equal width; each keeps its lowest and its highest point,
//! and one gap if it has any. So a spike of one step in a million is still there. A curve that grows
//! by a point an event is thinned again only when it has doubled, from the points it has: the lowest
//! of the lowest is the lowest.

/// Points of a curve that was just thinned: at most three a bucket.
const BUCKETS: usize = 500;
/// A curve is drawn with at most this many points.
pub const MAX_POINTS: usize = 4 * BUCKETS;

/// Points in drawing order; a NaN height is a gap.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    points: Vec<[f64; 2]>,
}

impl Curve {
    /// The points of these columns, thinned.
    pub fn thinned(points: impl Iterator<Item = [f64; 2]>, from: f64, to: f64) -> Self {
        Self {
            points: thin(points, from, to),
        }
    }

    /// All of these points.
    pub fn whole(points: Vec<[f64; 2]>) -> Self {
        if points.len() <= MAX_POINTS {
            return Self { points };
        }
        let mut curve = Self { points };
        curve.thin_again();
        curve
    }

    /// Adds a point at the right.
    pub fn push(&mut self, point: [f64; 2]) {
        if self.points.len() == MAX_POINTS {
            self.thin_again();
        }
        self.points.push(point);
    }

    fn thin_again(&mut self) {
        let ends = (self.points.first(), self.points.last());
        if let (Some([from, _]), Some([to, _])) = ends {
            let (from, to) = (*from, *to);
            self.points = thin(std::mem::take(&mut self.points).into_iter(), from, to);
        }
    }

    /// The points.
    pub fn points(&self) -> &[[f64; 2]] {
        &self.points
    }

    /// The unbroken parts.
    pub fn parts(&self) -> impl Iterator<Item = &[[f64; 2]]> {
        { self.points.split(|point| point[1].is_nan()) }.filter(|part| !part.is_empty())
    }
}

/// What a bucket has seen, with the place of each in the order.
#[derive(Clone, Copy, Default)]
struct Bucket {
    lowest: Option<(usize, [f64; 2])>,
    highest: Option<(usize, [f64; 2])>,
    gap: Option<(usize, [f64; 2])>,
}

impl Bucket {
    fn take(&mut self, place: usize, point: [f64; 2]) {
        if point[1].is_nan() {
            self.gap.get_or_insert((place, point));
            return;
        }
        if self.lowest.is_none_or(|(_, lowest)| point[1] < lowest[1]) {
            self.lowest = Some((place, point));
        }
        if self
            .highest
            .is_none_or(|(_, highest)| point[1] > highest[1])
        {
            self.highest = Some((place, point));
        }
    }

    fn put_into(self, points: &mut Vec<[f64; 2]>) {
        let mut kept = [self.lowest, self.highest, self.gap];
        kept.sort_by_key(|point| point.map(|(place, _)| place));
        let mut last = None;
        for (place, point) in kept.into_iter().flatten() {
            if last != Some(place) {
                points.push(point);
            }
            last = Some(place);
        }
    }
}

/// Keeps the extremes of each of [`BUCKETS`] ranges between `from` and `to`; points come ascending.
fn thin(points: impl Iterator<Item = [f64; 2]>, from: f64, to: f64) -> Vec<[f64; 2]> {
    let width = (to - from).max(f64::MIN_POSITIVE) / BUCKETS as f64;
    let mut kept = Vec::new();
    let mut bucket = Bucket::default();
    let mut current = 0;
    let mut first = None;
    let mut last = None;
    for (place, point) in points.enumerate() {
        if first.is_none() {
            first = Some(point);
            kept.push(point);
            continue;
        }
        // A float that is cast keeps to the range of the integer.
        let number = (((point[0] - from) / width) as usize).min(BUCKETS - 1);
        if number != current {
            std::mem::take(&mut bucket).put_into(&mut kept);
            current = number;
        }
        bucket.take(place, point);
        last = Some(point);
    }
    bucket.put_into(&mut kept);
    // Where a curve ends is what one looks at.
    if let Some(last) = last
        && kept.last() != Some(&last)
        && !last[1].is_nan()
    {
        kept.push(last);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thinned(points: &[[f64; 2]]) -> Vec<[f64; 2]> {
        let to = points.last().unwrap()[0];
        Curve::thinned(points.iter().copied(), points[0][0], to).points
    }

    fn wave(rows: usize) -> Vec<[f64; 2]> {
        (0..rows)
            .map(|row| [row as f64, (row as f64 * 0.013).sin()])
            .collect()
    }

    #[test]
    fn extremes_of_a_million_points_survive() {
        let mut points = wave(1_000_000);
        points[123_456][1] = 50.0;
        points[765_432][1] = -50.0;
        let kept = thinned(&points);
        assert!(kept.len() <= MAX_POINTS, "{}", kept.len());
        assert!(kept.contains(&[123_456.0, 50.0]));
        assert!(kept.contains(&[765_432.0, -50.0]));
        assert_eq!(kept.first(), points.first());
        assert_eq!(kept.last(), points.last());
        assert!(
            kept.windows(2).all(|pair| pair[0][0] < pair[1][0]),
            "in order"
        );
    }

    #[test]
    fn every_bucket_keeps_its_extremes() {
        let points = wave(50_000);
        let kept = thinned(&points);
        let width = 49_999.0 / BUCKETS as f64;
        for bucket in 0..BUCKETS {
            let inside = |point: &&[f64; 2]| (point[0] / width) as usize == bucket;
            let highest = |points: &[[f64; 2]]| {
                { points.iter().filter(inside) }.fold(f64::MIN, |high, point| high.max(point[1]))
            };
            assert_eq!(highest(&points), highest(&kept), "bucket {bucket}");
        }
    }

    #[test]
    fn gaps_stay_gaps() {
        let mut points = wave(100_000);
        for point in &mut points[40_000..60_000] {
            point[1] = f64::NAN;
        }
        let curve = Curve::thinned(points.iter().copied(), 0.0, 99_999.0);
        let parts: Vec<_> = curve.parts().collect();
        assert_eq!(parts.len(), 2);
        assert!(parts[0].last().unwrap()[0] < 40_000.0);
        assert!(parts[1].first().unwrap()[0] >= 60_000.0);
    }

    #[test]
    fn a_curve_that_grows_keeps_its_extremes_too() {
        let mut curve = Curve::default();
        for point in wave(100_000) {
            let spike = point[0] == 777.0;
            curve.push([point[0], if spike { 9.0 } else { point[1] }]);
            assert!(curve.points().len() <= MAX_POINTS);
        }
        assert!(curve.points().contains(&[777.0, 9.0]));
        assert_eq!(curve.points().last().unwrap()[0], 99_999.0);
    }

    #[test]
    fn odd_points_are_harmless() {
        assert!(
            Curve::thinned(std::iter::empty(), 0.0, 0.0)
                .points
                .is_empty()
        );
        let same = vec![[5.0, 1.0]; 10_000];
        assert!(thinned(&same).len() <= 4);
        let odd = [
            [f64::NAN, 1.0],
            [f64::INFINITY, f64::INFINITY],
            [0.0, f64::NAN],
        ];
        Curve::thinned(odd.into_iter(), f64::NAN, f64::INFINITY);
    }
}
