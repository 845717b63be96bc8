//! Those that answer: the base, and each adapter with the chat template and the form of backbone that
//! it was trained with.

use std::path::{Path, PathBuf};

use stepladder_protocol::{BASE, ComparedVariant, Method, RunConfig};

use crate::adapters::adapter_folder::{self, Adapter};
use crate::generation::generator::AdapterInUse;
use crate::models::chat_template::ChatTemplate;
use crate::models::model::ModelFiles;
use crate::models::quantization::BackboneQuantization;
use crate::training::run_rows::config_of_run;
use crate::{Error, Result};

/// One of those that answer.
pub struct Variant {
    /// `base`, or the run folder's name.
    pub name: String,
    /// Its adapter.
    pub adapter: Option<Adapter>,
    /// Where that lies.
    pub path: Option<PathBuf>,
    /// The run it comes from, if that is known.
    pub run: Option<RunConfig>,
    /// How the backbone is kept while it answers.
    pub quantization: BackboneQuantization,
    /// Tokens that end its answers beside those that end one of the model's.
    pub stop_tokens: Vec<u32>,
    template: ChatTemplate,
}

impl Variant {
    /// The chat template it answers with.
    pub fn template(&self) -> &ChatTemplate {
        &self.template
    }

    /// How it was trained.
    pub fn method(&self) -> Option<Method> {
        { self.adapter.as_ref() }.map(|adapter| adapter.config.method())
    }

    /// Its adapter, as it answers with it.
    pub fn in_use(&self) -> Option<AdapterInUse<'_>> {
        { self.adapter.as_ref() }
            .map(|adapter| AdapterInUse::new(&adapter.network, adapter.config.tap_dtype))
    }

    /// As it crosses the seam.
    pub fn told(&self) -> ComparedVariant {
        let parameters = |adapter: &Adapter| adapter.network.parameters().count() as u64;
        ComparedVariant {
            name: self.name.clone(),
            method: self.method(),
            parameters: self.adapter.as_ref().map_or(0, parameters),
        }
    }

    /// Recognizes what it answers with: names and numbers of its adapter.
    ///
    /// # Errors
    /// When a tensor cannot be read.
    pub fn fingerprint(&self) -> Result<String> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.template.source().as_bytes());
        if let Some(adapter) = &self.adapter {
            for (name, tensor) in adapter.network.parameters().iter() {
                hasher.update(name.as_bytes());
                let numbers = tensor.flatten_all()?.to_vec1::<f32>()?;
                hasher.update(bytemuck::cast_slice(&numbers));
            }
        }
        Ok(hasher.finalize().to_hex().to_string())
    }
}

/// The base, then the adapters in their order.
///
/// # Errors
/// When an adapter cannot be used, or was made for another model; when there is no chat template.
pub fn load(files: &ModelFiles, adapters: &[PathBuf]) -> Result<Vec<Variant>> {
    if adapters.is_empty() {
        return Err(Error::ConfigInvalid {
            field: "adapter",
            problem: "there is none to compare with the base".to_owned(),
            hint: "name a run with --adapter RUN; it may be given several times".to_owned(),
        });
    }
    let mut tuned = Vec::new();
    for path in adapters {
        tuned.push(load_adapter(files, path)?);
    }
    // The base is what the first adapter was trained beside, so that the adapter is all that differs.
    let quantization = { tuned.first() }.map_or(BackboneQuantization::AS_STORED, |variant| {
        variant.quantization
    });
    let template = match (files.template(), tuned.first()) {
        (Ok(own), _) => own.clone(),
        // A model without one is asked as the adapter is.
        (Err(_), Some(first)) => first.template.clone(),
        (Err(error), None) => return Err(error),
    };
    let base = Variant {
        name: BASE.to_owned(),
        adapter: None,
        path: None,
        run: None,
        quantization,
        stop_tokens: { tuned.first() }
            .filter(|_| files.template().is_err())
            .map_or_else(Vec::new, |first| first.stop_tokens.clone()),
        template,
    };
    let mut variants = vec![base];
    for mut variant in tuned {
        variant.name = free_name(variant.name, &variants);
        variants.push(variant);
    }
    Ok(variants)
}

fn load_adapter(files: &ModelFiles, path: &Path) -> Result<Variant> {
    let adapter = adapter_folder::load(path, &files.fingerprint(), &files.config)?;
    let adapter = adapter.computing_on(files.compute())?;
    let source = adapter.config.chat_template.as_deref();
    let chosen = files.template_of_adapter(path, source, &adapter.config.stop_tokens)?;
    Ok(Variant {
        name: name_of(path),
        quantization: adapter.config.quantization,
        adapter: Some(adapter),
        path: Some(path.to_path_buf()),
        run: config_of_run(path)?,
        stop_tokens: chosen.stop_tokens,
        template: chosen.template,
    })
}

/// A run folder's name; of the adapter folder in one, that of the run.
fn name_of(path: &Path) -> String {
    let name = |path: &Path| {
        path.file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    let own = name(path).unwrap_or_else(|| path.display().to_string());
    match path.parent().filter(|run| run.join("run.json").is_file()) {
        Some(run) if own == "adapter" => name(run).unwrap_or(own),
        _ => own,
    }
}

/// The name, with a number behind it if it is taken.
fn free_name(name: String, taken: &[Variant]) -> String {
    let is_taken = |name: &str| taken.iter().any(|variant| variant.name == name);
    if !is_taken(&name) {
        return name;
    }
    let mut number = 2;
    while is_taken(&format!("{name} ({number})")) {
        number += 1;
    }
    format!("{name} ({number})")
}

/// The place of the variant of this name.
///
/// # Errors
/// When there is none.
pub fn place_of(variants: &[Variant], name: &str) -> Result<usize> {
    let found = variants.iter().position(|variant| variant.name == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = variants
            .iter()
            .map(|variant| variant.name.as_str())
            .collect();
        Error::ConfigInvalid {
            field: "baseline",
            problem: format!("no variant is called {name:?}"),
            hint: format!("use one of: {}", names.join(", ")),
        }
    })
}

/// Parameter counts whose difference is a smaller part of the larger one are equal.
const EQUAL: f64 = 1e-3;

/// Whether adapters have as many parameters as each other, to a thousandth.
pub fn parameters_match(counts: impl IntoIterator<Item = u64> + Clone) -> bool {
    let (least, most) = (counts.clone().into_iter().min(), counts.into_iter().max());
    { least.zip(most) }.is_none_or(|(least, most)| (most - least) as f64 <= EQUAL * most as f64)
}

/// What makes variants less alike than their names say.
pub fn about(variants: &[Variant]) -> Vec<String> {
    let Some((base, tuned)) = variants.split_first() else {
        return Vec::new();
    };
    let mut notices: Vec<String> = { tuned.iter() }
        .filter_map(|variant| variant.adapter.as_ref()?.warning.clone())
        .collect();
    if base.quantization != BackboneQuantization::AS_STORED
        && let Some(first) = tuned.first()
    {
        notices.push(format!(
            "the model is kept in the form that {} was trained beside, also where {} answers",
            first.name, base.name
        ));
    }
    let counts: Vec<u64> = { tuned.iter() }
        .map(|variant| variant.told().parameters)
        .collect();
    if let (Some(least), Some(most)) = (counts.iter().min(), counts.iter().max())
        && !parameters_match(counts.iter().copied())
    {
        notices.push(format!(
            "the adapters have from {least} to {most} parameters, more than 0.1 % apart: differences between them \
             are not those of their methods alone"
        ));
    }
    for variant in tuned {
        if variant.template().source() != base.template().source() {
            notices.push(format!(
                "{} was trained with another chat template than {}'s and answers with that",
                variant.name, base.name
            ));
        }
        if variant.quantization != base.quantization {
            notices.push(format!(
                "{} was trained beside the model in another form than the one in which {} answers",
                variant.name, base.name
            ));
        }
    }
    notices
}
