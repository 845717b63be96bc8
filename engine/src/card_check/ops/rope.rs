use candle_core::Result;

use crate::card_check::{Case, Compared, Place, Random};
use crate::ops::rope::{RotaryEmbedding, Rotation, rotate};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "rope of whole heads",
        run: |place| compare(place, 64, 64),
    },
    Case {
        name: "rope of a part of each head",
        run: |place| compare(place, 80, 20),
    },
];

fn compare(place: &Place, head_dim: usize, rotated: usize) -> Result<Vec<Compared>> {
    let mut random = Random::new(7);
    let positions: Vec<u32> = (0..9).chain(4000..4010).collect();
    let x = random.tensor((positions.len(), 3 * head_dim), 3.0)?;
    let angles = RotaryEmbedding::plain(10_000.0, rotated).angles(&positions);
    let mut results = Vec::new();
    for (what, rotation) in [
        ("forward", Rotation::Forward),
        ("backward", Rotation::Backward),
    ] {
        let card = place.activations(&x)?;
        let x = crate::ops::elementwise::copy(&place.rounded(&x)?)?;
        rotate(&card, head_dim, &angles, rotation)?;
        rotate(&x, head_dim, &angles, rotation)?;
        results.push(place.compare(what, &card, &x, 1.0)?);
    }
    Ok(results)
}
