use super::*;

/// Numbers of both signs and many sizes, from integers.
fn numbers(count: usize) -> Vec<f32> {
    (0..count)
        .map(|index| {
            let hash = (index as u32 ^ 0x5bd1).wrapping_mul(0x9e37_79b1);
            (hash >> 8) as f32 / (1 << 20) as f32 - 8.0 - (index / BLOCK % 7) as f32
        })
        .collect()
}

fn quantized(values: &[f32], double_quantization: DoubleQuantization) -> Nf4 {
    Nf4::quantize(
        values.len(),
        |range, to| to.copy_from_slice(&values[range]),
        double_quantization,
    )
    .unwrap()
}

fn dequantized(nf4: &Nf4, range: Range<usize>) -> Vec<f32> {
    let mut out = vec![f32::NAN; range.len()];
    nf4.dequantize(range, &mut out);
    out
}

#[test]
fn a_number_comes_back_within_half_the_widest_step() {
    let values = numbers(5000);
    let nf4 = quantized(&values, DoubleQuantization::Off);
    let back = dequantized(&nf4, 0..values.len());
    for (block, (values, back)) in values.chunks(BLOCK).zip(back.chunks(BLOCK)).enumerate() {
        // The widest step is the one from -1.0 to -0.696.
        let allowed = 0.152 * nf4.scale(block);
        for (value, back) in values.iter().zip(back) {
            assert!((value - back).abs() <= allowed);
        }
        assert!(values.iter().any(|value| value.abs() == nf4.scale(block)));
    }
}

#[test]
fn any_range_is_a_part_of_the_whole() {
    let values = numbers(4 * BLOCK + 9);
    for double_quantization in [DoubleQuantization::Off, DoubleQuantization::On] {
        let nf4 = quantized(&values, double_quantization);
        let whole = dequantized(&nf4, 0..values.len());
        for start in 0..=values.len() {
            for end in [
                start,
                start + 1,
                start + 63,
                start + 64,
                start + 131,
                values.len(),
            ] {
                let end = end.min(values.len());
                assert_eq!(dequantized(&nf4, start..end), whole[start..end]);
            }
        }
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let values = numbers(40_000);
    let with_threads = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.build().unwrap();
        pool.install(|| quantized(&values, DoubleQuantization::On))
    };
    assert_eq!(with_threads(1), with_threads(3));
}

#[test]
fn the_source_is_read_once_and_in_pieces() {
    let values = numbers(40_000);
    let read = std::sync::Mutex::new(vec![0; values.len()]);
    Nf4::quantize(
        values.len(),
        |range, to| {
            assert!(range.len() == to.len() && to.len() <= 1 << 14);
            read.lock().unwrap()[range.clone()]
                .iter_mut()
                .for_each(|count| *count += 1);
            to.copy_from_slice(&values[range]);
        },
        DoubleQuantization::On,
    )
    .unwrap();
    assert!(read.into_inner().unwrap().iter().all(|&count| count == 1));
}

#[test]
fn the_first_number_that_is_not_finite_is_named() {
    let mut values = numbers(50_000);
    values[49_999] = f32::INFINITY;
    values[33_333] = f32::NAN;
    values[40_000] = f32::NEG_INFINITY;
    let result = Nf4::quantize(
        values.len(),
        |range, to| to.copy_from_slice(&values[range]),
        DoubleQuantization::Off,
    );
    assert_eq!(result, Err(Nf4Error::NotFinite { element: 33_333 }));
}

#[test]
fn a_part_of_wrong_length_is_named() {
    let nf4 = quantized(&numbers(300 * BLOCK + 1), DoubleQuantization::On);
    let elements = nf4.elements();
    let Scales::Double {
        codes,
        absmax,
        offset,
    } = nf4.scales().clone()
    else {
        panic!("scales are quantized");
    };
    let double = |codes: &[u8], absmax: &[f32]| Scales::Double {
        codes: codes.to_vec(),
        absmax: absmax.to_vec(),
        offset,
    };
    let packed = nf4.packed().to_vec();
    let message = |packed: &[u8], scales| {
        Nf4::from_parts(elements, packed.to_vec(), scales)
            .unwrap_err()
            .to_string()
    };
    for (message, expected) in [
        (
            message(&packed[1..], double(&codes, &absmax)),
            "9600 bytes of codes for 19201 elements, expected 9601",
        ),
        (
            message(&packed, Scales::Plain(vec![1.0; 300])),
            "300 scales for 19201 elements, expected 301",
        ),
        (
            message(&packed, double(&codes[1..], &absmax)),
            "300 codes of scales for 19201 elements, expected 301",
        ),
        (
            message(&packed, double(&codes, &absmax[1..])),
            "1 second-level scales for 19201 elements, expected 2",
        ),
    ] {
        assert_eq!(message, expected);
    }
    let again = Nf4::from_parts(elements, packed, double(&codes, &absmax)).unwrap();
    assert_eq!(again, nf4);
}

#[test]
fn bytes_counts_codes_and_scales() {
    let values = numbers(300 * BLOCK);
    let plain = quantized(&values, DoubleQuantization::Off);
    assert_eq!(plain.bytes(), 300 * 32 + 300 * 4);
    let double = quantized(&values, DoubleQuantization::On);
    assert_eq!(double.bytes(), 300 * 32 + 300 + 2 * 4 + 4);
}

#[test]
fn nothing_is_quantized_to_nothing() {
    for double_quantization in [DoubleQuantization::Off, DoubleQuantization::On] {
        let nf4 = quantized(&[], double_quantization);
        assert_eq!((nf4.elements(), nf4.packed().len()), (0, 0));
        nf4.dequantize(0..0, &mut []);
    }
}
