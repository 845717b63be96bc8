use std::path::Path;

use stepladder_protocol::RunConfig;

use super::*;
use crate::adapters::adapter_folder::{self, AdapterConfig};
use crate::adapters::network::Network;
use crate::adapters::parameters::Parameters;
use crate::comparison::variants;
use crate::generation::SamplerSettings;
use crate::models::chat_template::{Message, Role};
use crate::models::loading::LoadedBytes;
use crate::models::model::ModelFiles;
use crate::training::plan::ModelPlan;

/// An adapter that changes something.
fn save(folder: &Path, files: &ModelFiles) {
    let request = RunConfig::default();
    let plan = ModelPlan::resolve(&request, &files.config).unwrap();
    let fresh = Network::initialize(plan.shape.clone(), 1).unwrap();
    let mut tensors = fresh.parameters().tensors().clone();
    let shift = tensors["upsample.bias"].ones_like().unwrap();
    tensors.insert("upsample.bias".to_owned(), (shift * 0.3).unwrap());
    let parameters = Parameters::new(tensors);
    let config = AdapterConfig::new(
        "builtin".to_owned(),
        files.fingerprint(),
        plan.shape,
        request.tap_dtype,
        plan.quantization,
    );
    adapter_folder::save(folder, &config, &parameters).unwrap();
}

fn replies(answering: &mut dyn Answering, variant: usize, asked: &[Asked<'_>]) -> Vec<String> {
    let mut told = |_: LoadedBytes| std::ops::ControlFlow::Continue(());
    answering.make_ready(variant, &mut told).unwrap();
    let mut replies = vec![None; asked.len()];
    let stop = StopFlag::default();
    answering
        .answer(variant, asked, &stop, &mut |given| {
            let reply = given.reply;
            let told = format!("{} {:?} {:?}", reply.text, reply.token_ends, reply.finish);
            assert!(replies[given.place].replace(told).is_none(), "told twice");
            Ok(())
        })
        .unwrap();
    replies.into_iter().map(Option::unwrap).collect()
}

#[test]
fn side_by_side_says_what_one_by_one_says() {
    let folder = tempfile::tempdir().unwrap();
    let files = ModelFiles::open("builtin").unwrap();
    save(folder.path(), &files);
    let variants = variants::load(&files, &[folder.path().to_path_buf()]).unwrap();
    let texts = [
        "Kate has 2 boxes and buys 3. How many boxes does Kate have?",
        "What is 17 + 4?",
        "Tom had 9 pens and lost 4 of them. How many pens are left?",
    ];
    let messages = texts.map(|text| [Message::new(Role::User, text)]);
    let asked: Vec<Asked<'_>> = { messages.iter().enumerate() }
        .map(|(seed, messages)| Asked {
            messages,
            tools: None,
            seed: seed as u64,
        })
        .collect();
    for (temperature, most) in [(0.0, 9), (0.9, 7), (0.0, 0)] {
        let settings = SamplerSettings {
            temperature: Some(temperature),
            max_tokens: Some(most),
            ..SamplerSettings::default()
        };
        let one = || OneByOne::new(&files, &variants, settings.clone());
        for variant in 0..2 {
            let apart = replies(&mut one(), variant, &asked);
            let together = replies(&mut SideBySide::new(one()), variant, &asked);
            assert_eq!(apart, together, "variant {variant} at {temperature}");
        }
    }
}
