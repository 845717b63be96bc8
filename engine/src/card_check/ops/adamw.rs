use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor, bail};
use stepladder_protocol::Optimizer;

use crate::Result;
use crate::adapters::parameters::Parameters;
use crate::adapters::tensor_file::{self, Entry};
use crate::card_check::{Case, Compared, Place, Random};
use crate::training::optimizer::moments::TensorMoments;
use crate::training::optimizer::{AdamW, AdamWSettings, DecayGroup};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "adamw",
        run: |place| compare(place, 1500, Optimizer::AdamW),
    },
    // more blocks of numbers than one block of threads takes, the last one short
    Case {
        name: "adamw with moments in 8 bits",
        run: |place| compare(place, 9 * 256 + 3000, Optimizer::AdamW8bit),
    },
];

/// Four updates from the same gradients. Everything is f32 whatever the activations are, and rounded
/// alike, so card and CPU agree to the last bit.
fn compare(
    place: &Place,
    elements: usize,
    optimizer: Optimizer,
) -> candle_core::Result<Vec<Compared>> {
    updates(place, elements, optimizer).map_err(candle_core::Error::wrap)
}

fn updates(place: &Place, elements: usize, optimizer: Optimizer) -> Result<Vec<Compared>> {
    let mut random = Random::new(6);
    let cpu = single(random.tensor(elements, 1.0)?);
    let card = single(cpu.get("p")?.copy()?).to_device(&place.device)?;
    let settings = AdamWSettings {
        optimizer,
        weight_decay: 0.1,
        decayed: DecayGroup::All,
        ..AdamWSettings::default()
    };
    let mut of_cpu = AdamW::new(settings, &cpu)?;
    let mut of_card = AdamW::new(settings, &card)?;
    for step in 0..4 {
        // from large to tiny, and a block of zeros
        let mut gradient = random.tensor(elements, 10f32.powi(-3 * step))?.to_vec1()?;
        gradient[512..768].fill(0f32);
        let gradient = single(Tensor::from_vec(gradient, elements, &Device::Cpu)?);
        of_cpu.update(&cpu, &gradient, 1e-2)?;
        of_card.update(&card, &gradient.to_device(&place.device)?, 1e-2)?;
    }
    let mut tensors = vec![("parameter", card.get("p")?, cpu.get("p")?)];
    match (of_card.moments().get("p"), of_cpu.moments().get("p")) {
        (
            Some(TensorMoments::F32 {
                first: card_first,
                second: card_second,
            }),
            Some(TensorMoments::F32 { first, second }),
        ) => tensors.extend([
            ("first moment", card_first, first),
            ("second moment", card_second, second),
        ]),
        (
            Some(TensorMoments::Codes {
                first: card_first,
                second: card_second,
            }),
            Some(TensorMoments::Codes { first, second }),
        ) => tensors.extend([
            ("first codes", &card_first.codes, &first.codes),
            ("first scales", &card_first.absmax, &first.absmax),
            ("second codes", &card_second.codes, &second.codes),
            ("second scales", &card_second.absmax, &second.absmax),
        ]),
        _ => return Err(candle_core::Error::Msg("no moments".to_owned()).into()),
    }
    written_alike(&tensors)?;
    let compare = |(what, card, cpu): (&str, &Tensor, &Tensor)| {
        let cpu = cpu.to_dtype(DType::F32)?;
        Ok(place.compare(what, card, &cpu, 0.0)?.exactly())
    };
    tensors.into_iter().map(compare).collect()
}

/// What lies on the card is saved as what lies in RAM is.
fn written_alike(tensors: &[(&str, &Tensor, &Tensor)]) -> candle_core::Result<()> {
    let file = |pick: fn(&(&str, &Tensor, &Tensor)) -> Tensor| {
        let picked: Vec<_> = tensors.iter().map(|all| (all.0, pick(all))).collect();
        let entries = picked.iter().map(|(name, numbers)| Entry {
            name: (*name).to_owned(),
            numbers,
        });
        let mut bytes = Vec::new();
        tensor_file::write(entries.collect(), None, &mut bytes)?;
        Ok::<_, std::io::Error>(bytes)
    };
    if file(|all| all.1.clone())? != file(|all| all.2.clone())? {
        bail!("the file of the card's tensors is another");
    }
    Ok(())
}

fn single(tensor: Tensor) -> Parameters {
    Parameters::new(BTreeMap::from([("p".to_owned(), tensor)]))
}
