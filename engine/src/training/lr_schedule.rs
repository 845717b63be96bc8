//! The learning rate of each step: a linear warm-up, then a cosine down to a fraction of the peak.

/// Cosine schedule with warm-up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LrSchedule {
    peak: f64,
    warmup_steps: usize,
    total_steps: usize,
    final_fraction: f64,
}

impl LrSchedule {
    /// `warmup_fraction` of the steps, rounded up, lead to `peak`; the last step ends at
    /// `final_fraction * peak`.
    pub fn new(peak: f64, warmup_fraction: f64, total_steps: usize, final_fraction: f64) -> Self {
        let warmup_steps = (warmup_fraction * total_steps as f64).ceil() as usize;
        Self {
            peak,
            warmup_steps,
            total_steps,
            final_fraction,
        }
    }

    /// Learning rate of step `step`, counted from 1: `peak * step / warmup` while warming up.
    pub fn at(&self, step: usize) -> f64 {
        if step <= self.warmup_steps {
            return self.peak * step as f64 / self.warmup_steps as f64;
        }
        let decay_steps = self.total_steps.saturating_sub(self.warmup_steps).max(1);
        let progress = (step - self.warmup_steps).min(decay_steps) as f64 / decay_steps as f64;
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
        self.peak * (self.final_fraction + (1.0 - self.final_fraction) * cosine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warms_up_from_the_first_step_and_ends_at_the_fraction() {
        let schedule = LrSchedule::new(1.0, 0.03, 101, 0.1);
        let rates: Vec<f64> = [1, 2, 3, 4, 5].map(|step| schedule.at(step)).to_vec();
        assert_eq!(&rates[..4], &[0.25, 0.5, 0.75, 1.0]);
        assert!(rates[4] < 1.0);
        assert!((schedule.at(101) - 0.1).abs() < 1e-12);
        let middle = 4 + 97 / 2;
        assert!((schedule.at(middle) - 0.55).abs() < 0.01);
    }

    #[test]
    fn a_run_of_one_step_uses_the_peak() {
        assert_eq!(LrSchedule::new(2.0, 0.03, 1, 0.1).at(1), 2.0);
        assert_eq!(LrSchedule::new(2.0, 0.0, 1, 0.5).at(1), 1.0);
    }
}
