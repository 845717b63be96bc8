//! Every operation on the card beside the CPU. Needs a card; where there is none, or the executable
//! was built without `cuda`, it says so and checks nothing.

#[cfg(not(feature = "cuda"))]
#[test]
fn the_card_computes_what_the_cpu_computes() {
    println!("skipped: built without the feature `cuda`");
}

#[cfg(feature = "cuda")]
#[test]
fn the_card_computes_what_the_cpu_computes() {
    use candle_core::{DType, Device};
    use stepladder_engine::card_check::{LARGE, Place, cases};
    use stepladder_engine::models::compute::Compute;

    // `STEPLADDER_TEST_CARD=1` where a card, or a stand-in for one, is to be tested.
    if std::env::var_os("STEPLADDER_TEST_CARD").is_none() {
        println!("skipped: STEPLADDER_TEST_CARD is not set");
        return;
    }
    let only = std::env::var("STEPLADDER_TEST_CASE").unwrap_or_default();
    let device = Device::new_cuda_with_stream(0).unwrap();
    let mut wrong = Vec::new();
    // Below compute capability 8.0 there is no bf16.
    let narrow = Compute::on(device.clone()).unwrap().activations();
    let types = [DType::F32, DType::BF16, DType::F16];
    for dtype in types
        .into_iter()
        .filter(|dtype| *dtype != DType::BF16 || narrow == *dtype)
    {
        let place = Place {
            device: device.clone(),
            dtype,
        };
        let asked = |name: &str| {
            name.contains(&only) && (only.starts_with(LARGE) || !name.starts_with(LARGE))
        };
        for case in cases().iter().filter(|case| asked(case.name)) {
            match (case.run)(&place) {
                Ok(results) => {
                    for result in results {
                        let line = format!("{dtype:?} {}: {result}", case.name);
                        println!("{line}");
                        if !result.holds() {
                            wrong.push(line);
                        }
                    }
                }
                Err(error) => wrong.push(format!("{dtype:?} {}: {error}", case.name)),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
