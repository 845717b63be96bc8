use candle_core::Result;

use crate::card_check::{Case, Compared, Place, Random};
use crate::ops::rms_norm::{rms_norm, rms_norm_backward};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "rms_norm with a weight",
        run: |place| compare(place, 37, 896, true),
    },
    Case {
        name: "rms_norm without a weight, narrow rows",
        run: |place| compare(place, 5, 20, false),
    },
];

fn compare(place: &Place, rows: usize, width: usize, weighted: bool) -> Result<Vec<Compared>> {
    let mut random = Random::new(1);
    let (x, grad) = (
        random.tensor((rows, width), 3.0)?,
        random.tensor((rows, width), 1.0)?,
    );
    let weight = match weighted {
        true => Some(random.tensor(width, 2.0)?),
        false => None,
    };
    let on_card = match &weight {
        Some(weight) => Some(place.exact(weight)?),
        None => None,
    };
    let (card_x, card_grad) = (place.activations(&x)?, place.activations(&grad)?);
    let (x, grad) = (place.rounded(&x)?, place.rounded(&grad)?);
    let (weight, on_card) = (weight.as_ref(), on_card.as_ref());
    Ok(vec![
        place.compare(
            "y",
            &rms_norm(&card_x, on_card, 1e-6)?,
            &rms_norm(&x, weight, 1e-6)?,
            1.0,
        )?,
        place.compare(
            "dx",
            &rms_norm_backward(&card_x, on_card, 1e-6, &card_grad)?,
            &rms_norm_backward(&x, weight, 1e-6, &grad)?,
            1.0,
        )?,
    ])
}
