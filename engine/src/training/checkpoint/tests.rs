use candle_core::{DType, Device, Tensor};

use super::*;

fn tensor(values: &[f32]) -> Tensor {
    Tensor::new(values, &Device::Cpu).unwrap()
}

fn bytes(tensor: &Tensor) -> Vec<u8> {
    let values = tensor.to_dtype(DType::F32).unwrap();
    values
        .to_vec1::<f32>()
        .unwrap()
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

fn save_empty(folder: &Path, step: usize) -> PathBuf {
    let state = CheckpointState {
        step,
        evaluation_due: false,
        best_evaluation_loss: None,
        evaluations_since_best: 0,
        elapsed_secs: 0.0,
        peak_bytes: 0,
        template_unix_secs: 0,
        loss_scale: None,
        dataset: String::new(),
        checksum: String::new(),
    };
    save(folder, state, &Parameters::default(), &Moments::default()).unwrap()
}

/// Found by killing runs: one that died between writing a checkpoint and deleting the oldest left
/// three, and a resume with nothing left to do kept them.
#[test]
fn checkpoints_that_a_kill_left_over_go_when_the_run_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    for step in [1, 2] {
        save_empty(folder.path(), step);
    }
    let third = save_empty(other.path(), 3);
    std::fs::rename(&third, folder.path().join(third.file_name().unwrap())).unwrap();
    assert_eq!(list(folder.path()).unwrap().len(), 3);
    let (newest, damaged) = load_newest(folder.path()).unwrap();
    assert_eq!((newest.unwrap().state.step, damaged.len()), (3, 0));
    assert_eq!(list(folder.path()).unwrap().len(), KEPT);
}

/// A checkpoint as the first version wrote it, byte by byte.
#[test]
fn a_checkpoint_of_an_older_run_is_read() {
    let header = r#"{"first_moments.side.0.gate":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"parameters.side.0.gate":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},"second_moments.side.0.gate":{"dtype":"F32","shape":[2],"data_offsets":[16,24]}}"#;
    let header = format!("{header:0$}", header.len().next_multiple_of(8));
    let (first, parameter, second) = (
        tensor(&[1.0, -2.0]),
        tensor(&[3.0, 4.0]),
        tensor(&[0.5, 6.0]),
    );
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend([&first, &parameter, &second].map(bytes).concat());
    let state = format!(
        r#"{{"step": 7, "evaluation_due": false, "best_evaluation_loss": 1.5, "evaluations_since_best": 0,
           "elapsed_secs": 2.0, "peak_bytes": 3, "template_unix_secs": 4, "dataset": "d", "checksum": "{}"}}"#,
        blake3::hash(&file).to_hex()
    );
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("step-00000007");
    std::fs::create_dir(&old).unwrap();
    std::fs::write(old.join(TENSORS), &file).unwrap();
    std::fs::write(old.join(STATE), state).unwrap();

    let (found, damaged) = load_newest(folder.path()).unwrap();
    let Checkpoint {
        mut state,
        parameters,
        moments,
    } = found.unwrap();
    assert!(damaged.is_empty());
    assert_eq!(
        bytes(parameters.get("side.0.gate").unwrap()),
        bytes(&parameter)
    );
    let Some(TensorMoments::F32 {
        first: read_first,
        second: read_second,
    }) = moments.get("side.0.gate")
    else {
        panic!("older runs keep f32 moments");
    };
    assert_eq!(bytes(read_first), bytes(&first));
    assert_eq!(bytes(read_second), bytes(&second));

    // And it is what is written today.
    state.step = 8;
    let new = save(folder.path(), state, &parameters, &moments).unwrap();
    assert_eq!(std::fs::read(new.join(TENSORS)).unwrap(), file);
}

#[test]
fn a_coded_moment_without_its_scales_is_damage() {
    let codes = Tensor::new(&[3_u8; 4], &Device::Cpu).unwrap();
    let entry = |name: &str| Entry {
        name: name.to_owned(),
        numbers: &codes,
    };
    let read = |entries: Vec<Entry<'_>>| {
        let mut file = Vec::new();
        tensor_file::write(entries, None, &mut file).unwrap();
        read_tensors(&file).map(|_| ()).unwrap_err()
    };
    let coded = vec![entry("first_moments.p"), entry("second_moments.p")];
    assert_eq!(read(coded), "tensor first_absmax.p is missing");
    assert_eq!(
        read(vec![entry("first_absmax.p")]),
        "unknown tensor first_absmax.p"
    );
    assert_eq!(read(vec![entry("codes")]), "unknown tensor codes");
}
