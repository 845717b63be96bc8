//! Memory counted by the allocator: what a frozen weight takes while it is used, and while it is
//! made; what an optimizer keeps, and what saving takes. Counters are the process's, so there is one test at a time.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "tests fail by panicking, and say what they measured"
)]

use std::alloc::System;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Mutex;

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Device, Tensor};
use serde_json::json;
use stepladder_engine::adapters::adapter_folder::{self, AdapterConfig};
use stepladder_engine::adapters::parameters::Parameters;
use stepladder_engine::memory::probe::{self, CountingAllocator};
use stepladder_engine::models::checkpoint::Checkpoint;
use stepladder_engine::models::config::DecoderConfig;
use stepladder_engine::models::decoder::Decoder;
use stepladder_engine::models::model::ModelFiles;
use stepladder_engine::models::quantization::{BackboneQuantization, Quantization};
use stepladder_engine::ops::frozen_linear::FrozenLinear;
use stepladder_engine::ops::frozen_matrix::FrozenMatrix;
use stepladder_engine::ops::ggml_blocks::GgmlBlocks;
use stepladder_engine::ops::nf4::{DoubleQuantization, Nf4};
use stepladder_engine::training::checkpoint::{self, CheckpointState};
use stepladder_engine::training::optimizer::moments::moment_bytes;
use stepladder_engine::training::optimizer::{AdamW, AdamWSettings};
use stepladder_engine::training::plan::ModelPlan;
use stepladder_protocol::{Optimizer, RunConfig, TapDtype};

#[global_allocator]
static ALLOCATOR: CountingAllocator<System> = CountingAllocator(System);

mod planned;
mod rehearsal;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Held while something is measured; a test that failed meanwhile does not matter to the others.
fn alone() -> std::sync::MutexGuard<'static, ()> {
    ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(|failed| failed.into_inner())
}

/// What `work` takes at its peak beyond what was there, and what it leaves.
fn measured<R>(work: impl FnOnce() -> R) -> (R, usize, usize) {
    let before = probe::current_bytes();
    probe::reset_peak();
    let result = work();
    let peak = (probe::peak_bytes() - before) as usize;
    (result, peak, (probe::current_bytes() - before) as usize)
}

fn random(shape: (usize, usize)) -> Tensor {
    Tensor::randn(0f32, 0.02, shape, &Device::Cpu).unwrap()
}

/// The gemm crate packs parts of both sides; its buffers follow the processor's caches.
const PACKING_BYTES: usize = 4 << 20;

#[test]
fn a_frozen_weight_is_never_widened_whole() {
    let _alone = alone();
    let (outputs, inputs) = (16384, 2048);
    let weight = random((outputs, inputs));
    let values = weight.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let read = |range: std::ops::Range<usize>, out: &mut [f32]| out.copy_from_slice(&values[range]);
    let nf4 = Nf4::quantize(outputs * inputs, read, DoubleQuantization::On).unwrap();
    let blocks = QTensor::quantize(&weight, GgmlDType::Q4K).unwrap();
    let bytes = blocks.data().unwrap();
    let rows = bytes.chunks_exact(bytes.len() / outputs);
    let blocks = GgmlBlocks::new(GgmlDType::Q4K, inputs, rows).unwrap();
    let forms = [
        FrozenMatrix::dense(&weight).unwrap(),
        FrozenMatrix::dense(&weight.to_dtype(DType::BF16).unwrap()).unwrap(),
        FrozenMatrix::nf4(nf4, outputs, inputs).unwrap(),
        FrozenMatrix::blocks(blocks, outputs, inputs),
    ];
    for matrix in forms {
        let linear = FrozenLinear::new(matrix, None).unwrap();
        for tokens in [1, 64, 256] {
            let (x, grad) = (random((tokens, inputs)), random((tokens, outputs)));
            let (result, forward, kept) = measured(|| linear.forward(&x).unwrap());
            assert!(kept >= tokens * outputs * 4);
            drop(result);
            let (_, backward, _) = measured(|| linear.backward_input(&grad).unwrap());
            let scratch = linear.scratch_bytes(tokens);
            let beside = |peak: usize, width: usize| peak - tokens * width * 4;
            println!(
                "{:?}, {tokens} tokens: {} and {} bytes beside the results, planned {scratch}",
                linear.weight(),
                beside(forward, outputs),
                beside(backward, inputs)
            );
            for beside in [beside(forward, outputs), beside(backward, inputs)] {
                assert!(beside <= scratch + PACKING_BYTES, "{:?}", linear.weight());
            }
            // A tenth of the weight in f32 at most.
            assert!(10 * scratch < outputs * inputs * 4);
        }
    }
}

/// A Llama of random weights in bf16.
struct Model {
    d: usize,
    d_ff: usize,
    layers: usize,
    vocabulary: usize,
    tied: bool,
}

impl Model {
    fn config(&self) -> DecoderConfig {
        let config = json!({
            "model_type": "llama", "vocab_size": self.vocabulary, "hidden_size": self.d,
            "num_hidden_layers": self.layers, "num_attention_heads": 8, "num_key_value_heads": 8,
            "intermediate_size": self.d_ff, "rms_norm_eps": 1e-5, "max_position_embeddings": 256,
            "tie_word_embeddings": self.tied,
        });
        DecoderConfig::from_json("config.json".as_ref(), config.to_string().as_bytes()).unwrap()
    }

    fn save(&self, folder: &Path) {
        let (d, d_ff) = (self.d, self.d_ff);
        let mut tensors = HashMap::new();
        let mut add = |name: String, tensor: Tensor| {
            tensors.insert(name, tensor.to_dtype(DType::BF16).unwrap());
        };
        let norm = || Tensor::ones(d, DType::F32, &Device::Cpu).unwrap();
        let of_vocabulary = || random((self.vocabulary, d));
        add("model.embed_tokens.weight".to_owned(), of_vocabulary());
        if !self.tied {
            add("lm_head.weight".to_owned(), of_vocabulary());
        }
        add("model.norm.weight".to_owned(), norm());
        for layer in 0..self.layers {
            for (module, outputs, inputs) in [
                ("self_attn.q_proj", d, d),
                ("self_attn.k_proj", d, d),
                ("self_attn.v_proj", d, d),
                ("self_attn.o_proj", d, d),
                ("mlp.gate_proj", d_ff, d),
                ("mlp.up_proj", d_ff, d),
                ("mlp.down_proj", d, d_ff),
            ] {
                let name = format!("model.layers.{layer}.{module}.weight");
                add(name, random((outputs, inputs)));
            }
            for name in ["input_layernorm", "post_attention_layernorm"] {
                add(format!("model.layers.{layer}.{name}.weight"), norm());
            }
        }
        candle_core::safetensors::save(&tensors, folder.join("model.safetensors")).unwrap();
    }

    /// Bytes of the matrices in a form; bf16 is 16 bits a number.
    fn expected(&self, kept: BackboneQuantization) -> f64 {
        let bits = |form| match form {
            Quantization::Nf4DoubleQuantized => 4.127,
            Quantization::Nf4 => 4.5,
            Quantization::AsStored => 16.0,
        };
        let blocks = self.layers * (4 * self.d * self.d + 3 * self.d * self.d_ff);
        let of_vocabulary = (self.vocabulary * self.d) as f64;
        let embedding = match self.tied {
            // One matrix serves as both.
            true => 0.0,
            false => of_vocabulary * 16.0,
        };
        (blocks as f64 * bits(kept.blocks) + of_vocabulary * bits(kept.head) + embedding) / 8.0
    }
}

#[test]
fn quantizing_while_loading_stays_near_the_final_size() {
    let _alone = alone();
    let forms = [
        Quantization::Nf4DoubleQuantized,
        Quantization::Nf4,
        Quantization::AsStored,
    ];
    for tied in [true, false] {
        let model = Model {
            d: 512,
            d_ff: 1536,
            layers: 4,
            vocabulary: 8192,
            tied,
        };
        let folder = tempfile::tempdir().unwrap();
        model.save(folder.path());
        let checkpoint = Checkpoint::open(folder.path()).unwrap();
        for kept in forms.into_iter().flat_map(|blocks| {
            forms.map(|head| BackboneQuantization::of_blocks(blocks).with_head(head))
        }) {
            let load = || Decoder::load(model.config(), &checkpoint, kept).unwrap();
            let (_decoder, peak, held) = measured(load);
            println!("tied {tied}, {kept:?}: {held} bytes, {peak} at the peak");
            let expected = model.expected(kept);
            assert!(
                (held as f64 / expected - 1.0).abs() < 0.02,
                "{held}, expected {expected}"
            );
            assert!((peak as f64) < 1.15 * held as f64, "{peak} for {held}");
        }
    }
}

fn single(elements: usize) -> Parameters {
    let tensor = random((elements, 1)).flatten_all().unwrap();
    Parameters::new(BTreeMap::from([("p".to_owned(), tensor)]))
}

fn adamw(optimizer: Optimizer, parameters: &Parameters) -> AdamW {
    let settings = AdamWSettings {
        optimizer,
        ..AdamWSettings::default()
    };
    AdamW::new(settings, parameters).unwrap()
}

const OPTIMIZERS: [Optimizer; 2] = [Optimizer::AdamW, Optimizer::AdamW8bit];

#[test]
fn moments_take_what_is_said() {
    let _alone = alone();
    // Names, shapes and the nodes of the map.
    const AROUND: usize = 4096;
    for elements in [1, 4095, 4096, 100_000, (1 << 20) + 3] {
        let parameters = single(elements);
        for optimizer in OPTIMIZERS {
            let (_adamw, _, kept) = measured(|| adamw(optimizer, &parameters));
            let said = moment_bytes(elements, optimizer) as usize;
            println!("{optimizer:?}, {elements} numbers: {kept} bytes, said {said}");
            assert!((said..said + AROUND).contains(&kept), "{kept}, said {said}");
        }
    }
    assert_eq!(moment_bytes(4095, Optimizer::AdamW8bit), 8 * 4095);
    assert_eq!(
        moment_bytes(4097, Optimizer::AdamW8bit),
        2 * (4097 + 4 * 17)
    );
}

#[test]
fn an_update_in_8_bits_widens_no_moment() {
    let _alone = alone();
    let elements = 4 << 20;
    let (parameters, gradients) = (single(elements), single(elements));
    let mut optimizer = adamw(Optimizer::AdamW8bit, &parameters);
    let mut update = || optimizer.update(&parameters, &gradients, 1e-3).unwrap();
    // The first one makes the maps and the threads.
    update();
    let ((), peak, _) = measured(update);
    println!("an update of {elements} numbers takes {peak} bytes beside them");
    assert!(peak < elements / 32, "{peak}");
}

#[test]
fn a_checkpoint_is_written_from_where_it_lies() {
    let _alone = alone();
    const ALLOWED: usize = 2 << 20;
    let folder = tempfile::tempdir().unwrap();
    let parameters = single(8 << 20);
    let state = CheckpointState {
        step: 1,
        evaluation_due: false,
        best_evaluation_loss: None,
        evaluations_since_best: 0,
        elapsed_secs: 0.0,
        peak_bytes: 0,
        loss_scale: None,
        template_unix_secs: 0,
        dataset: String::new(),
        checksum: String::new(),
    };
    for optimizer in OPTIMIZERS {
        let moments = adamw(optimizer, &parameters).moments().clone();
        let save = || checkpoint::save(folder.path(), state.clone(), &parameters, &moments);
        let (saved, peak, _) = measured(|| save().unwrap());
        let written = std::fs::metadata(saved.join("state.safetensors")).unwrap();
        println!("a checkpoint of {} bytes takes {peak}", written.len());
        let moments = moment_bytes(8 << 20, optimizer);
        assert!(written.len() > (4 << 23) + moments);
        assert!(peak < ALLOWED, "{optimizer:?}: {peak}");
    }

    let files = ModelFiles::open("builtin").unwrap();
    let plan = ModelPlan::resolve(&RunConfig::default(), &files.config).unwrap();
    let config = AdapterConfig::new(
        "builtin".to_owned(),
        files.fingerprint(),
        plan.shape,
        TapDtype::F32,
        BackboneQuantization::AS_STORED,
    );
    let save = || adapter_folder::save(folder.path(), &config, &parameters).unwrap();
    let ((), peak, _) = measured(save);
    println!(
        "an adapter of {} bytes takes {peak}",
        4 * parameters.count()
    );
    assert!(peak < ALLOWED, "{peak}");
}
