//! NF4 against bitsandbytes: codes and scales to the bit, in both directions.

use std::collections::HashMap;

use candle_core::{DType, Tensor};
use stepladder_engine::ops::dynamic_map::SIGNED;
use stepladder_engine::ops::nf4::{BLOCK, CODES, DoubleQuantization, Nf4, Scales};
use stepladder_tests::nf4::{checksum, float_bits, mix};
use stepladder_tests::{golden, golden_path};

/// What the witness keeps of a large tensor, beside its checksum.
const HEAD: usize = 4096;

struct Golden {
    tensors: HashMap<String, Tensor>,
    cases: serde_json::Value,
}

impl Golden {
    fn load() -> Self {
        let text = std::fs::read(golden_path("nf4.json")).unwrap();
        Self {
            tensors: golden("nf4.safetensors"),
            cases: serde_json::from_slice(&text).unwrap(),
        }
    }

    /// Runs `check` on every case that has a tensor whose name ends so.
    fn for_cases_with(&self, tensor: &str, check: impl Fn(&Case)) {
        let mut checked = 0;
        for (name, settings) in self.cases.as_object().unwrap() {
            let shape = settings["shape"].as_array().unwrap();
            let case = Case {
                golden: self,
                name,
                elements: shape.iter().map(|n| n.as_u64().unwrap() as usize).product(),
            };
            if self.tensors.contains_key(&case.key(tensor)) {
                check(&case);
                checked += 1;
            }
        }
        assert!(checked > 1, "{tensor}: {checked} cases");
    }
}

struct Case<'a> {
    golden: &'a Golden,
    name: &'a str,
    elements: usize,
}

impl Case<'_> {
    fn key(&self, tensor: &str) -> String {
        format!("{}.{tensor}", self.name)
    }

    fn find(&self, tensor: &str) -> Option<Tensor> {
        let tensor = self.golden.tensors.get(&self.key(tensor))?;
        Some(tensor.flatten_all().unwrap())
    }

    fn floats(&self, tensor: &str) -> Vec<f32> {
        let tensor = self.find(tensor).unwrap();
        tensor.to_dtype(DType::F32).unwrap().to_vec1().unwrap()
    }

    fn bytes(&self, tensor: &str) -> Vec<u8> {
        self.find(tensor).unwrap().to_vec1().unwrap()
    }

    /// A 16-bit input is widened, as every reader does.
    fn input(&self) -> Vec<f32> {
        if self.find("input").is_some() {
            self.floats("input")
        } else {
            (0..self.elements as u64).map(formula).collect()
        }
    }

    fn quantized(&self) -> Nf4 {
        let input = self.input();
        assert_eq!(input.len(), self.elements);
        Nf4::quantize(
            self.elements,
            |range, to| to.copy_from_slice(&input[range]),
            DoubleQuantization::Off,
        )
        .unwrap()
    }

    /// The scales quantized around bitsandbytes' own offset.
    fn double_quantized(&self) -> Nf4 {
        let offset = self.floats("nested.offset")[0];
        self.quantized().double_quantized(offset)
    }

    /// Compares bits with a tensor of the golden, or with its beginning and its checksum.
    fn check(&self, tensor: &str, ours: &[u32]) {
        let key = self.key(tensor);
        let bits_of = |tensor: Tensor| -> Vec<u32> {
            match tensor.dtype() {
                DType::U8 => tensor
                    .to_vec1::<u8>()
                    .unwrap()
                    .into_iter()
                    .map(u32::from)
                    .collect(),
                _ => float_bits(&tensor.to_vec1::<f32>().unwrap()),
            }
        };
        let (expected, head) = match self.find(tensor) {
            Some(whole) => (bits_of(whole), ours),
            None => (
                bits_of(self.find(&format!("{tensor}.head")).unwrap()),
                &ours[..HEAD],
            ),
        };
        assert_eq!(expected.len(), head.len(), "{key}: length");
        if let Some(at) = (0..head.len()).find(|&at| expected[at] != head[at]) {
            panic!("{key}[{at}]: {:#x}, golden {:#x}", head[at], expected[at]);
        }
        if self.find(tensor).is_none() {
            let golden = self.find(&format!("{tensor}.checksum")).unwrap();
            let golden = golden.to_vec1::<i64>().unwrap()[0];
            assert_eq!(checksum(ours) as i64, golden, "{key}: checksum");
        }
    }
}

/// The witness' numbers for matrices of real size: four 16-bit integers of a hash summed, and a
/// factor per thousand.
fn formula(index: u64) -> f32 {
    let hash = mix(index);
    let total: u64 = [0, 16, 32, 48]
        .iter()
        .map(|shift| hash >> shift & 0xffff)
        .sum();
    let factor = 3 + mix(index / 1000) % 14;
    ((total as i64 - 2 * 65_535) * factor as i64) as f32 / (1 << 24) as f32
}

fn byte_bits(bytes: &[u8]) -> Vec<u32> {
    bytes.iter().copied().map(u32::from).collect()
}

fn dequantized(nf4: &Nf4) -> Vec<f32> {
    let mut out = vec![f32::NAN; nf4.elements()];
    nf4.dequantize(0..nf4.elements(), &mut out);
    out
}

#[test]
fn the_code_books_are_those_of_bitsandbytes() {
    let golden = golden("nf4.safetensors");
    let bits = |name: &str| float_bits(&golden[name].to_vec1::<f32>().unwrap());
    assert_eq!(float_bits(&CODES), bits("code_book"));
    assert_eq!(float_bits(&SIGNED.values), bits("dynamic_map"));
}

#[test]
fn codes_and_scales_are_those_of_bitsandbytes() {
    let golden = Golden::load();
    let check = |case: &Case| {
        let nf4 = case.quantized();
        let Scales::Plain(scales) = nf4.scales() else {
            panic!("scales are plain");
        };
        case.check("absmax", &float_bits(scales));
        case.check("packed", &byte_bits(nf4.packed()));
    };
    golden.for_cases_with("packed", check);
    golden.for_cases_with("packed.head", check);
}

#[test]
fn numbers_come_back_as_from_bitsandbytes() {
    let golden = Golden::load();
    golden.for_cases_with("dequantized", |case| {
        let scales = Scales::Plain(case.floats("absmax"));
        let nf4 = Nf4::from_parts(case.elements, case.bytes("packed"), scales).unwrap();
        case.check("dequantized", &float_bits(&dequantized(&nf4)));
    });
    golden.for_cases_with("dequantized.head", |case| {
        case.check("dequantized", &float_bits(&dequantized(&case.quantized())));
    });
}

#[test]
fn scales_quantized_around_the_same_offset_have_the_same_codes() {
    let golden = Golden::load();
    golden.for_cases_with("nested.offset", |case| {
        let nf4 = case.double_quantized();
        let Scales::Double { codes, absmax, .. } = nf4.scales() else {
            panic!("scales are quantized");
        };
        case.check("nested.absmax", &float_bits(absmax));
        case.check("nested.codes", &byte_bits(codes));
    });
}

#[test]
fn quantized_scales_come_back_as_from_bitsandbytes() {
    let golden = Golden::load();
    golden.for_cases_with("nested.offset", |case| {
        let nf4 = case.double_quantized();
        let blocks = case.elements.div_ceil(BLOCK);
        let scales: Vec<f32> = (0..blocks).map(|block| nf4.scale(block)).collect();
        case.check("nested.scales", &float_bits(&scales));
        let plain = Nf4::from_parts(case.elements, nf4.packed().to_vec(), Scales::Plain(scales));
        assert_eq!(
            float_bits(&dequantized(&nf4)),
            float_bits(&dequantized(&plain.unwrap()))
        );
    });
}

#[test]
fn the_offset_is_the_mean_within_two_last_bits() {
    let golden = Golden::load();
    golden.for_cases_with("nested.offset", |case| {
        let [ours, theirs] = [
            case.quantized().mean_scale(),
            case.floats("nested.offset")[0],
        ];
        let apart = ours.to_bits().abs_diff(theirs.to_bits());
        assert!(apart <= 2, "{}: {ours} and {theirs}", case.name);
    });
}
