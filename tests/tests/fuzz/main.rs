//! Mutated real files: whatever a file says, parsing it ends soon, without a panic and without an
//! allocation the file does not justify. `STEPLADDER_FUZZ_CASES` sets the number of cases
//! (default 10,000; 100,000 before a release).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "tests fail by panicking, and say what they measured"
)]

mod readers;

use std::alloc::System;
use std::cell::Cell;
use std::ops::ControlFlow;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::time::{Duration, Instant};

use stepladder_engine::datasets::load::Dataset;
use stepladder_engine::datasets::reader::DataSource;
use stepladder_engine::datasets::recipe::Recipe;
use stepladder_engine::memory::probe::{self, CountingAllocator};
use stepladder_engine::models::checkpoint::Checkpoint;
use stepladder_engine::models::config::DecoderConfig;
use stepladder_engine::models::decoder::Decoder;
use stepladder_engine::models::gguf::{self, GgufFile, GgufHeader};
use stepladder_engine::models::model::ModelFiles;
use stepladder_engine::models::quantization::{BackboneQuantization, Quantization};
use stepladder_engine::models::tokenizer::Tokenizer;
use stepladder_protocol::{Command, DataOptions, EventLine, RunConfig};
use stepladder_tests::{golden_path, root};

#[global_allocator]
static ALLOCATOR: CountingAllocator<System> = CountingAllocator(System);

thread_local! {
    static PARSING: Cell<bool> = const { Cell::new(false) };
}

/// Panics of libraries that the engine catches stay silent: a backtrace takes more memory than any
/// file justifies.
fn hush_caught_panics() {
    let loud = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !PARSING.get() {
            loud(info);
        }
    }));
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % bound.max(1) as u64) as usize
    }
}

/// Pieces that parsers stumble over.
const TOKENS: [&[u8]; 20] = [
    b"null",
    b"-1",
    b"0",
    b"1e308",
    b"-1e308",
    b"NaN",
    b"18446744073709551615",
    b"9223372036854775807",
    b"4294967296",
    b"\"\"",
    b"[]",
    b"{}",
    b"[[[[[[[[",
    b"\"\\ud800\"",
    b"\\u0000",
    b"true",
    b"\xff\xfe",
    b"\xf0\x9f\x98",
    b",",
    b":",
];

/// Sizes and offsets in binary files.
const NUMBERS: [u64; 7] = [0, 1, 1 << 31, 1 << 40, 1 << 60, i64::MAX as u64, u64::MAX];

/// One to four changes of a file.
fn mutate(file: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = file.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        match random.below(8) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            1 if !bytes.is_empty() => bytes[at] = random.below(256) as u8,
            2 => bytes.truncate(at),
            3 => {
                let end = (at + 1 + random.below(40)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => {
                let end = (at + 1 + random.below(200)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, copy);
            }
            5 if at + 8 <= bytes.len() => {
                let number = NUMBERS[random.below(NUMBERS.len())];
                bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
            }
            6 => {
                // a number or string in a JSON file becomes something else
                let token = TOKENS[random.below(TOKENS.len())];
                let from = at
                    + bytes[at..]
                        .iter()
                        .position(|b| *b == b':')
                        .map_or(0, |p| p + 1);
                let length = bytes[from..]
                    .iter()
                    .position(|b| b",}\n".contains(b))
                    .unwrap_or(0);
                bytes.splice(from..from + length, token.iter().copied());
            }
            _ => {
                let token = TOKENS[random.below(TOKENS.len())];
                bytes.splice(at..at, token.iter().copied());
            }
        }
    }
    bytes
}

/// Feeds mutations of `files` to `parse`, which says whether it took one.
fn fuzz(name: &str, share: usize, files: &[Vec<u8>], mut parse: impl FnMut(&[u8]) -> bool) {
    let all: usize = std::env::var("STEPLADDER_FUZZ_CASES").map_or(10_000, |cases| {
        cases.parse().expect("STEPLADDER_FUZZ_CASES is a number")
    });
    let cases = (all * share / 100).max(1);
    let mut random = Random(0x5eed);
    let (mut taken, mut slowest, mut largest) = (0, Duration::ZERO, 0);
    for case in 0..cases {
        let bytes = mutate(&files[case % files.len()], &mut random);
        probe::reset_peak();
        let before = probe::current_bytes();
        let start = Instant::now();
        PARSING.set(true);
        let result = std::panic::catch_unwind(AssertUnwindSafe(|| parse(&bytes)));
        PARSING.set(false);
        assert!(
            result.is_ok(),
            "{name} case {case} panicked on {:?}",
            String::from_utf8_lossy(&bytes)
        );
        taken += usize::from(result.unwrap_or(false));
        let (time, peak) = (start.elapsed(), probe::peak_bytes() - before);
        let justified = 64 * bytes.len() as u64 + (16 << 20);
        assert!(
            peak < justified,
            "{name} case {case}: {peak} bytes for a file of {}",
            bytes.len()
        );
        assert!(
            time < Duration::from_secs(10),
            "{name} case {case} took {time:?}"
        );
        slowest = slowest.max(time);
        largest = largest.max(peak);
    }
    println!("{name}: {cases} cases, {taken} taken, slowest {slowest:?}, at most {largest} bytes");
}

fn file(path: &str) -> Vec<u8> {
    std::fs::read(root().join(path)).unwrap()
}

/// Allocations are counted for the whole process, so all targets run one after the other.
#[test]
fn mutated_files_are_refused_or_taken_but_never_trusted() {
    hush_caught_panics();
    let configs: Vec<Vec<u8>> = std::fs::read_dir(golden_path("backbones"))
        .unwrap()
        .map(|entry| std::fs::read(entry.unwrap().path().join("config.json")).unwrap())
        .collect();
    fuzz("config.json", 21, &configs, |bytes| {
        DecoderConfig::from_json(Path::new("config.json"), bytes).is_ok()
    });

    let tokenizer_config = file("assets/builtin-model/tokenizer_config.json");
    let generation_config = file("assets/builtin-model/generation_config.json");
    fuzz(
        "tokenizer.json",
        4,
        &[file("assets/builtin-model/tokenizer.json")],
        |bytes| {
            let tokenizer = Tokenizer::from_parts(Path::new("m"), bytes, None, None, &[2]);
            tokenizer.is_ok_and(|tokenizer| tokenizer.encode("How many 12?").is_ok())
        },
    );
    let whole = file("assets/builtin-model/tokenizer.json");
    fuzz("tokenizer_config.json", 2, &[tokenizer_config], |bytes| {
        Tokenizer::from_parts(Path::new("m"), &whole, Some(bytes), None, &[]).is_ok()
    });
    fuzz("generation_config.json", 2, &[generation_config], |bytes| {
        Tokenizer::from_parts(Path::new("m"), &whole, None, Some(bytes), &[]).is_ok()
    });

    // Headers: the mutations stay in the first kilobytes, where the tensors are described.
    let folder = tempfile::tempdir().unwrap();
    let path = golden_path("backbones/qwen2-tied-bf16");
    let config_path = path.join("config.json");
    let config =
        DecoderConfig::from_json(&config_path, &std::fs::read(&config_path).unwrap()).unwrap();
    let weights = std::fs::read(path.join("model.safetensors")).unwrap();
    let (header, data) = weights.split_at(4096);
    fuzz("safetensors", 10, &[header.to_vec()], |bytes| {
        let stored = folder.path().join("model.safetensors");
        std::fs::write(&stored, [bytes, data].concat()).unwrap();
        let opened = Checkpoint::open(folder.path());
        opened.is_ok_and(|checkpoint| {
            HEADS.map(|kept| Decoder::load(config.clone(), &checkpoint, kept).is_ok())[1]
        })
    });

    quantized_models();

    let files = ModelFiles::open("builtin").unwrap();
    let rows = file("assets/builtin-dataset.jsonl");
    let rows: Vec<Vec<u8>> = rows
        .split(|b| *b == b'\n')
        .take(40)
        .map(<[u8]>::to_vec)
        .collect();
    fuzz("JSONL", 15, &rows, |bytes| {
        let source = DataSource::Memory {
            name: "fuzz",
            bytes: bytes.to_vec().into(),
        };
        let template = files.template().unwrap();
        let go_on = &mut |_| ControlFlow::Continue(());
        let recipe = Recipe {
            tokenizer: &files.tokenizer,
            template: Some(template),
            options: &DataOptions::default(),
            context: 256,
        };
        Dataset::load(&[source], &recipe, go_on).is_ok()
    });

    readers::mutated_datasets_are_read();

    let lines: Vec<Vec<u8>> = [
        r#"{"command":"train","job":"j","config":{"steps":2,"taps":[1,2]},"out":"/tmp/x"}"#,
        r#"{"command":"chat_turn","job":"c","messages":[{"role":"user","content":"hi"}]}"#,
        r#"{"event":"step","step":12,"loss":1.5,"learning_rate":0.1,"gradient_norm":1.0,"tokens_per_second":5.0,"tokens":5,"target_tokens":3,"elapsed_secs":1.0,"remaining_secs":2.0,"job":"t"}"#,
    ]
    .map(|line| line.as_bytes().to_vec())
    .to_vec();
    fuzz("protocol lines", 15, &lines, |bytes| {
        serde_json::from_slice::<Command>(bytes).is_ok()
            || serde_json::from_slice::<EventLine>(bytes).is_ok()
    });
    let run = serde_json::to_vec_pretty(&RunConfig::default()).unwrap();
    fuzz("run.json", 7, &[run], |bytes| {
        serde_json::from_slice::<RunConfig>(bytes).is_ok()
    });
}

/// A head as it is stored, and one that is quantized on loading.
const HEADS: [BackboneQuantization; 2] = [
    BackboneQuantization::AS_STORED,
    BackboneQuantization::AS_STORED.with_head(Quantization::Nf4DoubleQuantized),
];

/// Headers of GGUF files, and what bitsandbytes says of its weights.
fn quantized_models() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    for name in ["llama2-q8_0", "phi4-mini-f16", "gemma3-f16"] {
        let whole = file(&format!("tests/goldens/gguf/{name}.gguf"));
        let tensors = GgufHeader::parse(&whole).unwrap().tensors;
        let data_start = tensors
            .iter()
            .map(|tensor| tensor.bytes.start)
            .min()
            .unwrap();
        let (header, data) = whole.split_at(data_start);
        fuzz(&format!("GGUF {name}"), 4, &[header.to_vec()], |bytes| {
            std::fs::write(&path, [bytes, data].concat()).unwrap();
            GgufFile::open(&path).is_ok_and(|opened| {
                let load = |kept| {
                    let config = opened.model.decoder_config(&path)?;
                    Decoder::load(config, &opened.checkpoint, kept)
                };
                HEADS.map(|kept| load(kept).is_ok())[1]
            })
        });
    }

    let vocabularies = ["tinyllama", "qwen2"].map(|style| {
        file(&format!(
            "tests/goldens/gguf_tokenizers/{style}/vocabulary.gguf"
        ))
    });
    fuzz("GGUF tokenizer", 4, &vocabularies, |bytes| {
        let Ok(header) = GgufHeader::parse(bytes) else {
            return false;
        };
        gguf::documents(&header.metadata).is_ok_and(|text| {
            let config = Some(text.tokenizer_config.as_slice());
            Tokenizer::from_parts(&path, &text.tokenizer, config, None, &[]).is_ok()
        })
    });

    let source = golden_path("bnb/llama-nf4-double");
    let config_path = source.join("config.json");
    let config = std::fs::read(&config_path).unwrap();
    let config = DecoderConfig::from_json(&config_path, &config).unwrap();
    let whole = std::fs::read(source.join("model.safetensors")).unwrap();
    let stored = folder.path().join("model.safetensors");
    let load = |bytes: &[u8]| {
        std::fs::write(&stored, bytes).unwrap();
        let opened = Checkpoint::open(folder.path());
        opened.is_ok_and(|checkpoint| {
            Decoder::load(config.clone(), &checkpoint, BackboneQuantization::AS_STORED).is_ok()
        })
    };
    let (header, data) = whole.split_at(4096);
    fuzz("bitsandbytes header", 4, &[header.to_vec()], |bytes| {
        load(&[bytes, data].concat())
    });
    // The JSON beside each weight keeps its length.
    let key = b"{\"quant_type".as_slice();
    let start = whole
        .windows(key.len())
        .position(|window| window == key)
        .unwrap();
    let end = start
        + whole[start..]
            .iter()
            .position(|byte| *byte == b'}')
            .unwrap()
        + 1;
    fuzz("quant_state", 4, &[whole[start..end].to_vec()], |bytes| {
        let mut changed = whole.clone();
        let length = bytes.len().min(end - start);
        changed[start..end].fill(b' ');
        changed[start..start + length].copy_from_slice(&bytes[..length]);
        load(&changed)
    });
}
