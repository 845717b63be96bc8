//! Gradients in f16 are scaled up, or the small ones would be lost: the loss is multiplied by a factor,
//! and the sums of its gradients, which are f32, divided by it. A step whose gradients overflow is made
//! again with half the factor; after many good ones it is doubled (Micikevicius et al. 2018, arXiv
//! 1710.03740, section 3.2, with the constants of PyTorch's GradScaler).

use serde::{Deserialize, Serialize};

const FIRST: f64 = 65_536.0;
const DOUBLED_AFTER: u32 = 2000;

/// The factor, and how long it has been good.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossScale {
    factor: f64,
    good_steps: u32,
}

impl Default for LossScale {
    fn default() -> Self {
        Self {
            factor: FIRST,
            good_steps: 0,
        }
    }
}

impl LossScale {
    /// What the loss is multiplied by.
    pub fn factor(self) -> f64 {
        self.factor
    }

    /// What to try after gradients that are not finite; none when the factor is no longer to blame.
    pub fn after_overflow(self) -> Option<Self> {
        (self.factor > 1.0).then_some(Self {
            factor: self.factor / 2.0,
            good_steps: 0,
        })
    }

    /// What the next step takes after a good one.
    #[must_use]
    pub fn after_update(self) -> Self {
        match self.good_steps + 1 {
            DOUBLED_AFTER => Self {
                factor: self.factor * 2.0,
                good_steps: 0,
            },
            good_steps => Self { good_steps, ..self },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_halves_at_once_and_doubles_with_patience() {
        let first = LossScale::default();
        let halved = first.after_overflow().unwrap();
        assert_eq!(halved.factor(), FIRST / 2.0);
        let mut scale = halved;
        for _ in 1..DOUBLED_AFTER {
            scale = scale.after_update();
            assert_eq!(scale.factor(), FIRST / 2.0);
        }
        assert_eq!(scale.after_update().factor(), FIRST);
        // An overflow in between starts the count anew.
        assert_eq!(scale.after_overflow().unwrap().after_update().good_steps, 1);
    }

    #[test]
    fn at_one_the_factor_is_not_to_blame() {
        let mut scale = LossScale::default();
        let mut halved = 0;
        while let Some(smaller) = scale.after_overflow() {
            (scale, halved) = (smaller, halved + 1);
        }
        assert_eq!((scale.factor(), halved), (1.0, 16));
    }
}
