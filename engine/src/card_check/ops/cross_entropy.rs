use candle_core::{DType, Device, Result, Tensor};

use crate::card_check::{Case, Compared, Place, Random};
use crate::ops::cuda::linear_cross_entropy::reduce;
use crate::ops::frozen_linear::FrozenLinear;
use crate::ops::frozen_matrix::FrozenMatrix;
use crate::ops::linear_cross_entropy::{Gradient, linear_cross_entropy};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "cross-entropy of logits",
        run: |place| compare(place, 3000, None),
    },
    Case {
        name: "cross-entropy of logits, capped",
        run: |place| compare(place, 3000, Some(5.0)),
    },
    Case {
        name: "cross-entropy of logits, few words",
        run: |place| compare(place, 10, None),
    },
];

const TOKENS: usize = 5;

/// The CPU's twin has logits only inside of it; with an identity for a head they are its input.
fn compare(place: &Place, vocabulary: usize, soft_cap: Option<f64>) -> Result<Vec<Compared>> {
    let mut random = Random::new(11);
    let logits = random.tensor((TOKENS, vocabulary), 12.0)?;
    let mut targets: Vec<u32> = (1..TOKENS)
        .map(|_| random.below(vocabulary as u32))
        .collect();
    targets.push(vocabulary as u32 - 1);
    let identity = Tensor::eye(vocabulary, DType::F32, &Device::Cpu)?;
    let head = FrozenLinear::new(FrozenMatrix::dense(&identity)?, None)?;
    let factor = 0.7;
    let cpu = linear_cross_entropy(&logits, &head, soft_cap, &targets, Gradient::Scaled(factor))?;
    let exact = Place {
        dtype: DType::F32,
        ..place.clone()
    };
    let number = |value: f64| Tensor::new(value as f32, &Device::Cpu);
    let expected = number(cpu.loss_sum)?;
    let logits = place.exact(&logits)?;
    let reduced = |gradient| reduce(&logits, &targets, soft_cap, gradient, place.dtype);
    let (loss, _) = reduced(None)?;
    let mut results = vec![exact.compare("loss alone", &number(loss)?, &expected, 1.0)?];
    let (loss, gradient) = reduced(Some(factor))?;
    results.push(exact.compare("loss", &number(loss)?, &expected, 1.0)?);
    if let (Some(card), Some(cpu)) = (gradient, cpu.hidden_gradient) {
        results.push(place.compare("d logits", &card, &cpu, 1.0)?);
    }
    Ok(results)
}
