//! The flags of `train`, and the run config they make: defaults, then `--config`, then flags.

use std::path::{Path, PathBuf};

use clap::Args;
use stepladder_protocol::{Method, RunConfig, Switch};

use super::common::{CommonOptions, at_least_one, positive, word};
use super::data_flags::DataFlags;
use super::failure::Failure;
use super::shape_options::{ShapeOptions, set, set_some};
use super::{byte_size, config_file};

/// Flags of `train`.
#[derive(Args, Clone, Debug, Default)]
pub struct TrainOptions {
    #[command(flatten)]
    pub shape: ShapeOptions,
    /// `builtin` or a dataset file; may be given several times [default: builtin]
    #[arg(long)]
    pub data: Vec<String>,
    /// ladder, xladder, qlora or lora [default: ladder]
    #[arg(long, value_parser = method)]
    pub method: Option<Method>,
    /// The run folder to make [default: runs/<time>-<method> in your data folder, the time in UTC;
    /// STEPLADDER_HOME replaces the data folder]
    #[arg(long, value_name = "RUN")]
    pub out: Option<PathBuf>,
    /// Go on with an interrupted run, as it was configured
    #[arg(long, value_name = "RUN", conflicts_with_all = [
        "model", "data", "method", "out", "config", "context", "epochs", "steps", "batch_size",
        "effective_batch_size", "learning_rate", "optimizer", "seed", "d_side", "reduction_factor", "taps",
        "downsample", "inject", "recompute", "recompute_taps", "tap_dtype", "offload_activations",
        "offload_embeddings", "rank", "alpha", "target_modules", "group_by_length", "quantize",
        "quantize_head", "quantized_copy", "format", "map", "template", "loss_on", "traces",
        "loss_on_traces", "too_long", "packing", "sample_answers", "accept_changed_data",
    ])]
    pub resume: Option<PathBuf>,

    /// Passes over the training examples [default: 3]
    #[arg(long, value_name = "N", value_parser = positive, conflicts_with = "steps", help_heading = "Training")]
    pub epochs: Option<f64>,
    /// Optimizer updates, instead of epochs
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Training")]
    pub steps: Option<usize>,
    /// Let updates see examples of similar length, to spend less on padding: on or off [default: off]
    #[arg(long, value_parser = word::<Switch>, help_heading = "Training")]
    pub group_by_length: Option<Switch>,
    /// Peak learning rate [default: the method's]
    #[arg(long, value_name = "X", value_parser = positive, help_heading = "Training")]
    pub learning_rate: Option<f64>,
    /// Memory the run may take: 12GiB, 900MiB; a run that needs more does not start [default: what is
    /// free]
    #[arg(long, value_name = "SIZE", value_parser = byte_size::parse, help_heading = "Training")]
    pub memory: Option<u64>,
    /// Seed of everything random [default: 42]
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub seed: Option<u64>,

    /// Keep the quantized weights (not the head's) in this folder, and take them from there the next
    /// time
    #[arg(long, value_name = "FOLDER", help_heading = "Training")]
    pub quantized_copy: Option<String>,

    /// LoRA's additions are scaled by alpha / rank [default: 32]
    #[arg(long, value_name = "N", value_parser = positive, help_heading = "LoRA and QLoRA")]
    pub alpha: Option<f64>,

    /// Lay several short examples of a step into one row: on or off; faster, and nothing else changes
    /// [default: off]
    #[arg(long, value_parser = word::<Switch>, help_heading = "Training")]
    pub packing: Option<Switch>,
    /// Train although the data are not those that the run config was made with
    #[arg(long, help_heading = "Data")]
    pub accept_changed_data: bool,

    #[command(flatten)]
    pub data_flags: DataFlags,
    #[command(flatten)]
    pub common: CommonOptions,
}

fn method(text: &str) -> Result<Method, String> {
    word(text).map_err(|_| "the methods are ladder, xladder, qlora and lora".to_owned())
}

impl TrainOptions {
    /// The run config that is asked for.
    pub fn run_config(&self) -> Result<RunConfig, Failure> {
        let mut config = match &self.resume {
            Some(run) => config_file::read(&run.join("run.json"))?,
            None => self.shape.base_config()?,
        };
        self.override_in(&mut config)?;
        config.model = absolute(config.model);
        config.quantized_copy = config.quantized_copy.map(absolute_even_if_new);
        config.data = config.data.into_iter().map(absolute).collect();
        Ok(config)
    }

    fn override_in(&self, config: &mut RunConfig) -> Result<(), Failure> {
        self.shape.override_in(config);
        set(&mut config.method, &self.method);
        set(&mut config.device, &self.common.device);
        set(&mut config.epochs, &self.epochs);
        set(&mut config.group_by_length, &self.group_by_length);
        set(&mut config.seed, &self.seed);
        set(&mut config.alpha, &self.alpha);
        set_some(&mut config.memory_bytes, &self.memory);
        set_some(&mut config.threads, &self.common.threads);
        set_some(&mut config.quantized_copy, &self.quantized_copy);
        set_some(&mut config.steps, &self.steps);
        set_some(&mut config.learning_rate, &self.learning_rate);
        self.data_flags.override_in(&mut config.data_options)?;
        set(&mut config.data_options.packing, &self.packing);
        if !self.data.is_empty() {
            config.data.clone_from(&self.data);
        }
        if !self.data.is_empty() || self.accept_changed_data {
            config.data_fingerprints.clear();
        }
        // Of two ways to say one thing the flag's counts, not what the file has for the other.
        if self.epochs.is_some() {
            config.steps = None;
        }
        Ok(())
    }
}

/// A path made absolute, whether it is there or not.
fn absolute_even_if_new(path: String) -> String {
    let absolute = std::path::absolute(&path).map(|path| path.into_os_string().into_string());
    match absolute {
        Ok(Ok(absolute)) => absolute,
        _ => path,
    }
}

/// A path that is there, made absolute, so that `run.json` re-runs the run from anywhere. What is no
/// path here stays as it was typed.
pub fn absolute(path: String) -> String {
    if path == "builtin" || !Path::new(&path).exists() {
        return path;
    }
    absolute_even_if_new(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use stepladder_protocol::{
        DataFormat, DataOptions, Downsample, Inject, LossOn, Optimizer, Quantize, TapDtype,
        TooLong, Traces,
    };

    #[derive(Parser)]
    struct Parsed {
        #[command(flatten)]
        options: TrainOptions,
    }

    fn parse(flags: &[&str]) -> Result<TrainOptions, clap::Error> {
        let arguments = std::iter::once("train").chain(flags.iter().copied());
        Parsed::try_parse_from(arguments).map(|parsed| parsed.options)
    }

    fn config(flags: &[&str]) -> RunConfig {
        parse(flags).unwrap().run_config().unwrap()
    }

    fn refused(flags: &[&str]) -> String {
        let error = parse(flags).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        error.to_string()
    }

    #[test]
    fn no_flags_give_the_default_run() {
        assert_eq!(config(&[]), RunConfig::default());
    }

    #[test]
    fn every_flag_reaches_the_config() {
        let flags = "--model m --data a.jsonl --data b.jsonl --method xladder --context 256 \
            --steps 9 --batch-size 2 --effective-batch-size 8 --learning-rate 1e-3 --optimizer adamw-8bit --seed 7 \
            --d-side 32 --taps 3,7 --downsample adapter --inject gate --recompute on --rank 4 --alpha 8 --target-modules q_proj,v_proj \
            --recompute-taps on --tap-dtype bf16 --offload-activations on --offload-embeddings on --group-by-length on --quantize nf4 --quantize-head on --quantized-copy c --format alpaca --map a=prompt --template chatml --loss-on last_turn --traces drop --loss-on-traces off --too-long split --packing on --sample-answers 3 --device cpu --memory 2GiB --threads 2";
        let flags: Vec<_> = flags.split_whitespace().collect();
        let expected = RunConfig {
            model: "m".to_owned(),
            data: vec!["a.jsonl".to_owned(), "b.jsonl".to_owned()],
            data_options: DataOptions {
                format: DataFormat::Alpaca,
                map: [("a".to_owned(), "prompt".to_owned())].into(),
                template: "chatml".to_owned(),
                loss_on: LossOn::LastTurn,
                traces: Traces::Drop,
                loss_on_traces: Switch::Off,
                too_long: Some(TooLong::Split),
                packing: Switch::On,
            },
            method: Method::Xladder,
            device: "cpu".to_owned(),
            memory_bytes: Some(2 << 30),
            threads: Some(2),
            context: Some(256),
            steps: Some(9),
            batch_size: 2,
            effective_batch_size: 8,
            learning_rate: Some(1e-3),
            optimizer: Optimizer::AdamW8bit,
            seed: 7,
            d_side: Some(32),
            taps: Some(vec![3, 7]),
            downsample: Downsample::Adapter,
            inject: Inject::Gate,
            recompute: Some(Switch::On),
            rank: 4,
            alpha: 8.0,
            sample_answers: 3,
            target_modules: Some(vec!["q_proj".to_owned(), "v_proj".to_owned()]),
            recompute_taps: Switch::On,
            tap_dtype: TapDtype::Bf16,
            offload_activations: Switch::On,
            offload_embeddings: Switch::On,
            group_by_length: Switch::On,
            quantize: Quantize::Nf4,
            quantize_head: Switch::On,
            quantized_copy: Some(absolute_even_if_new("c".to_owned())),
            ..RunConfig::default()
        };
        assert_eq!(config(&flags), expected);
        assert_eq!(config(&["--epochs", "0.5"]).epochs, 0.5);
        assert_eq!(
            config(&["--reduction-factor", "8"]).reduction_factor,
            Some(8)
        );
    }

    #[test]
    fn flags_override_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("run.json");
        std::fs::write(
            &file,
            r#"{"steps": 50, "d_side": 64, "batch_size": 2, "threads": 3, "data_fingerprints": ["ab"]}"#,
        )
        .unwrap();
        let file = file.to_str().unwrap();
        let read = config(&["--config", file]);
        assert_eq!(
            (read.steps, read.d_side, read.batch_size),
            (Some(50), Some(64), 2)
        );
        assert_eq!(read.threads, Some(3));
        let over = config(&["--config", file, "--epochs", "1", "--reduction-factor", "4"]);
        assert_eq!((over.steps, over.epochs), (None, 1.0));
        assert_eq!((over.d_side, over.reduction_factor), (None, Some(4)));
        assert_eq!(over.batch_size, 2);
        // Other data are not held against the fingerprints of those that the file was made with.
        assert_eq!(read.data_fingerprints, ["ab"]);
        assert!(
            config(&["--config", file, "--data", "b"])
                .data_fingerprints
                .is_empty()
        );
        let accepted = config(&["--config", file, "--accept-changed-data"]);
        assert!(accepted.data_fingerprints.is_empty());
        // A run folder stands for the run.json in it.
        assert_eq!(config(&["--config", folder.path().to_str().unwrap()]), read);
        assert_eq!(config(&["--resume", folder.path().to_str().unwrap()]), read);
    }

    #[test]
    fn paths_that_are_there_become_absolute() {
        let read = config(&[
            "--data",
            "Cargo.toml",
            "--data",
            "builtin",
            "--data",
            "no-such-file",
        ]);
        assert!(Path::new(&read.data[0]).is_absolute());
        assert_eq!(read.data[1..], ["builtin", "no-such-file"]);
    }

    #[test]
    fn wrong_usage_is_refused_clearly() {
        assert!(refused(&["--method", "magic"]).contains("the methods are ladder, xladder, qlora"));
        assert!(refused(&["--inject", "mul"]).contains("`sum`"));
        assert!(refused(&["--optimizer", "sgd"]).contains("`adamw-8bit`"));
        assert!(refused(&["--batch-size", "0"]).contains("must be at least 1"));
        assert!(refused(&["--learning-rate", "NaN"]).contains("must be a number above 0"));
        assert!(refused(&["--taps", "3,x"]).contains("must be a whole number"));
        assert!(refused(&["--device", "gpu"]).contains("use auto, cpu, cuda or cuda:N"));
        refused(&["--epochs", "1", "--steps", "1"]);
        refused(&["--d-side", "8", "--reduction-factor", "8"]);
        refused(&["--resume", "run", "--steps", "1"]);
        refused(&["--contxt", "1"]);
    }
}
