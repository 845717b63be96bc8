//! LoRA for Hugging Face's PEFT.

use std::ops::ControlFlow;

use super::Place;
use crate::adapters::adapter_folder::{StoredAdapter, save_chat_template};
use crate::adapters::lora::peft;
use crate::adapters::network::Network;
use crate::{Error, Result};

pub(super) fn write(
    source: &StoredAdapter,
    to: Place<'_>,
    told: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<(Vec<&'static str>, String)> {
    let Place { made_in, out } = to;
    let Network::Lora(lora) = &source.network else {
        return Err(Error::AdapterInvalid {
            path: out.to_path_buf(),
            problem: "a side network is no LoRA".to_owned(),
        });
    };
    let config = &source.config;
    peft::save(made_in, lora, &config.base_model, &config.module_root, told)?;
    let mut files = vec![peft::CONFIG, peft::TENSORS];
    files.extend(save_chat_template(made_in, config)?);
    let usage = format!(
        "PeftModel.from_pretrained(model, {:?})",
        out.display().to_string()
    );
    Ok((files, usage))
}
