//! AdamW with moments in 8 bits against bitsandbytes' `AdamW8bit`: codes and scales to the bit.

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Device, IndexOp, Tensor};
use stepladder_engine::adapters::parameters::Parameters;
use stepladder_engine::ops::dynamic_map::UNSIGNED;
use stepladder_engine::training::optimizer::moments::{
    CodedMoment, MIN_8BIT_ELEMENTS, TensorMoments,
};
use stepladder_engine::training::optimizer::{AdamW, AdamWSettings, DecayGroup};
use stepladder_protocol::Optimizer;
use stepladder_tests::nf4::float_bits;
use stepladder_tests::{assert_close, golden, golden_path};

/// Of parameters after ten updates: their arithmetic is rounded in another order.
const PARAMETER_TOLERANCE: f64 = 1e-6;

fn settings() -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(golden_path("adamw8.json")).unwrap()).unwrap()
}

fn single(tensor: Tensor) -> Parameters {
    Parameters::new(BTreeMap::from([("p".to_owned(), tensor)]))
}

fn assert_is(
    label: &str,
    ours: &CodedMoment,
    golden: &HashMap<String, Tensor>,
    which: &str,
    at: usize,
) {
    let row = |name: String| golden[&name].i(at).unwrap().flatten_all().unwrap();
    let codes = row(format!("state{which}")).to_vec1::<u8>().unwrap();
    let our_codes = ours.codes.to_vec1::<u8>().unwrap();
    let differing = codes.iter().zip(&our_codes).filter(|(a, b)| a != b).count();
    assert_eq!(
        (our_codes.len(), differing),
        (codes.len(), 0),
        "{label}: codes"
    );
    let absmax = row(format!("absmax{which}")).to_vec1::<f32>().unwrap();
    assert_eq!(
        float_bits(&ours.absmax.to_vec1::<f32>().unwrap()),
        float_bits(&absmax),
        "{label}: scales"
    );
}

#[test]
fn moments_in_8_bits_are_those_of_bitsandbytes() {
    let settings = settings();
    let number = |name: &str| settings[name].as_f64().unwrap();
    let golden = golden("adamw8.safetensors");
    let gradients = golden["gradients"].to_dtype(DType::F32).unwrap();
    let steps = gradients.dim(0).unwrap();
    assert_eq!(steps, 10);
    for (case, weight_decay) in settings["weight_decay"].as_object().unwrap() {
        let parameters = single(golden["initial"].copy().unwrap());
        let settings = AdamWSettings {
            optimizer: Optimizer::AdamW8bit,
            beta1: number("beta1"),
            beta2: number("beta2"),
            eps: number("eps"),
            weight_decay: weight_decay.as_f64().unwrap(),
            decayed: DecayGroup::All,
        };
        let mut optimizer = AdamW::new(settings, &parameters).unwrap();
        for step in 0..steps {
            let gradients = single(gradients.i(step).unwrap().copy().unwrap());
            let learning_rate = number("learning_rate");
            optimizer
                .update(&parameters, &gradients, learning_rate)
                .unwrap();
            let Some(TensorMoments::Codes { first, second }) = optimizer.moments().get("p") else {
                panic!(
                    "moments of {} numbers have 8 bits",
                    golden["initial"].elem_count()
                );
            };
            let label = |which| format!("{case}: {which} moment after update {}", step + 1);
            assert_is(&label("first"), first, &golden, "1", step);
            assert_is(&label("second"), second, &golden, "2", step);
        }
        let expected = &golden[&format!("{case}.parameters")];
        let ours = parameters.get("p").unwrap();
        assert_close(
            &format!("{case}: parameters"),
            ours,
            expected,
            PARAMETER_TOLERANCE,
        );
    }
}

#[test]
fn the_unsigned_map_and_the_smallest_tensor_are_those_of_bitsandbytes() {
    let map = golden("adamw8.safetensors")["unsigned_map"]
        .to_vec1::<f32>()
        .unwrap();
    assert_eq!(float_bits(&UNSIGNED.values), float_bits(&map));
    let smallest = settings()["min_8bit_size"].as_u64().unwrap() as usize;
    assert_eq!(smallest, MIN_8BIT_ELEMENTS);
    for (elements, coded) in [(smallest - 1, false), (smallest, true)] {
        let parameters = single(Tensor::ones(elements, DType::F32, &Device::Cpu).unwrap());
        let settings = AdamWSettings {
            optimizer: Optimizer::AdamW8bit,
            ..AdamWSettings::default()
        };
        let optimizer = AdamW::new(settings, &parameters).unwrap();
        let moments = optimizer.moments().get("p").unwrap();
        assert_eq!(
            matches!(moments, TensorMoments::Codes { .. }),
            coded,
            "{elements}"
        );
    }
}
