//! The course of a live run's loss for the list: 64 points at most, each an average of as many steps.

/// Points at most.
pub const MAX_POINTS: usize = 64;

/// Averages of equally many losses.
#[derive(Clone, Debug)]
pub struct Course {
    points: Vec<f32>,
    /// Losses that make a point.
    each: u32,
    sum: f64,
    taken: u32,
}

impl Default for Course {
    fn default() -> Self {
        Self {
            points: Vec::new(),
            each: 1,
            sum: 0.0,
            taken: 0,
        }
    }
}

impl Course {
    /// Takes a loss; one that is no number is left out. Gives whether there is a new point.
    pub fn take(&mut self, loss: f64) -> bool {
        if !loss.is_finite() {
            return false;
        }
        self.sum += loss;
        self.taken += 1;
        if self.taken < self.each {
            return false;
        }
        self.points.push((self.sum / f64::from(self.taken)) as f32);
        (self.sum, self.taken) = (0.0, 0);
        if self.points.len() > MAX_POINTS {
            self.points = { self.points.chunks(2) }
                .map(|pair| pair.iter().sum::<f32>() / pair.len() as f32)
                .collect();
            self.each = self.each.saturating_mul(2);
        }
        true
    }

    /// The points so far.
    pub fn points(&self) -> &[f32] {
        &self.points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_short_and_keeps_its_shape() {
        let mut course = Course::default();
        for step in 0..10_000 {
            course.take(f64::from(10_000 - step));
            assert!(course.points().len() <= MAX_POINTS);
        }
        course.take(f64::NAN);
        let points = course.points();
        assert!(points.len() > MAX_POINTS / 3, "{}", points.len());
        assert!(
            points.windows(2).all(|pair| pair[1] < pair[0]),
            "{points:?}"
        );
    }
}
