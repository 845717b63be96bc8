use candle_core::{Result, Tensor};

use crate::card_check::{Case, Compared, Place, Random};
use crate::ops::geglu::{geglu, geglu_backward};
use crate::ops::swiglu::{silu, silu_backward, swiglu, swiglu_backward};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "swiglu",
        run: |place| compare(place, swiglu, swiglu_backward),
    },
    Case {
        name: "silu",
        run: compare_silu,
    },
    Case {
        name: "geglu",
        run: |place| compare(place, geglu, geglu_backward),
    },
];

type Forward = fn(&Tensor, &Tensor) -> Result<Tensor>;
type Backward = fn(&Tensor, &Tensor, &Tensor) -> Result<(Tensor, Tensor)>;

fn compare(place: &Place, forward: Forward, backward: Backward) -> Result<Vec<Compared>> {
    let mut random = Random::new(8);
    let mut tensor = |size| random.tensor((13, 97), size);
    let (gate, up, grad) = (tensor(8.0)?, tensor(2.0)?, tensor(1.0)?);
    let (card_gate, card_up) = (place.activations(&gate)?, place.activations(&up)?);
    let card_grad = place.activations(&grad)?;
    let (gate, up, grad) = (
        place.rounded(&gate)?,
        place.rounded(&up)?,
        place.rounded(&grad)?,
    );
    let card = backward(&card_gate, &card_up, &card_grad)?;
    let cpu = backward(&gate, &up, &grad)?;
    Ok(vec![
        place.compare(
            "y",
            &forward(&card_gate, &card_up)?,
            &forward(&gate, &up)?,
            1.0,
        )?,
        place.compare("d gate", &card.0, &cpu.0, 1.0)?,
        place.compare("d up", &card.1, &cpu.1, 1.0)?,
    ])
}

fn compare_silu(place: &Place) -> Result<Vec<Compared>> {
    let mut random = Random::new(9);
    let mut tensor = |size| random.tensor((13, 97), size);
    let (x, grad) = (tensor(8.0)?, tensor(1.0)?);
    let (card_x, card_grad) = (place.activations(&x)?, place.activations(&grad)?);
    let (x, grad) = (place.rounded(&x)?, place.rounded(&grad)?);
    let (card, cpu) = (
        silu_backward(&card_x, &card_grad)?,
        silu_backward(&x, &grad)?,
    );
    Ok(vec![
        place.compare("y", &silu(&card_x)?, &silu(&x)?, 1.0)?,
        place.compare("dx", &card, &cpu, 1.0)?,
    ])
}
