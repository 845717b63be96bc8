use candle_core::{DType, Result};

use crate::card_check::{Case, Compared, Place, Random};
use crate::ops::cuda::bias::add_bias;
use crate::ops::linear::accumulate_bias_gradient;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "bias and its gradient",
        run: |place| compare(place, 100, 70),
    },
    Case {
        name: "bias and its gradient, few tokens",
        run: |place| compare(place, 3, 32),
    },
];

fn compare(place: &Place, tokens: usize, outputs: usize) -> Result<Vec<Compared>> {
    let mut random = Random::new(10);
    let x = random.tensor((tokens, outputs), 3.0)?;
    let bias = random.tensor(outputs, 3.0)?;
    let out = place.activations(&x)?;
    add_bias(&out, &place.exact(&bias)?)?;
    let expected = place.rounded(&x)?.broadcast_add(&bias)?;
    let mut results = vec![place.compare("y", &out, &expected, 1.0)?];
    let card = place.exact(&bias)?;
    accumulate_bias_gradient(&card, &place.activations(&x)?)?;
    accumulate_bias_gradient(&bias, &place.rounded(&x)?)?;
    let exact = Place {
        dtype: DType::F32,
        ..place.clone()
    };
    results.push(exact.compare("d bias", &card, &bias, 1.0)?);
    Ok(results)
}
