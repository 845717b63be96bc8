//! Where programs keep their models, as they decide it themselves: environment first, then the
//! user's home.

use std::env::{home_dir, var_os};
use std::ffi::OsString;
use std::path::PathBuf;

/// The folders that are searched. Those of other programs need not be there.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// Stepladder's own folder of models.
    pub own_folder: Option<PathBuf>,
    /// Folders that the user named.
    pub folders: Vec<PathBuf>,
    /// The Hugging Face cache: the folder with `models--org--name` in it.
    pub hugging_face: Option<PathBuf>,
    /// LM Studio's homes, of newer and older versions: folders with `models` and `settings.json`.
    pub lm_studio: Vec<PathBuf>,
    /// Ollama's folders of models: those with `manifests` and `blobs` in them.
    pub ollama: Vec<PathBuf>,
}

impl Places {
    /// Where the programs of this user keep theirs.
    pub fn of_this_machine() -> Self {
        Self::told_by(
            &|name| var_os(name).filter(|value| !value.is_empty()),
            home_dir(),
        )
    }

    fn told_by(variable: &dyn Fn(&str) -> Option<OsString>, home: Option<PathBuf>) -> Self {
        let path = |name: &str| variable(name).map(PathBuf::from);
        let in_home = |inside: &str| home.as_ref().map(|home| home.join(inside));
        let hugging_face = path("HF_HUB_CACHE")
            .or_else(|| path("HUGGINGFACE_HUB_CACHE"))
            .or_else(|| Some(path("HF_HOME")?.join("hub")))
            .or_else(|| Some(path("XDG_CACHE_HOME")?.join("huggingface/hub")))
            .or_else(|| in_home(".cache/huggingface/hub"));
        let lm_studio = [in_home(".lmstudio"), in_home(".cache/lm-studio")];
        let ollama = [
            path("OLLAMA_MODELS"),
            in_home(".ollama/models"),
            cfg!(unix).then(|| PathBuf::from("/usr/share/ollama/.ollama/models")),
        ];
        Self {
            own_folder: None,
            folders: Vec::new(),
            hugging_face,
            lm_studio: lm_studio.into_iter().flatten().collect(),
            ollama: ollama.into_iter().flatten().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn told(variables: &[(&str, &str)]) -> Places {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        Places::told_by(&variable, Some(PathBuf::from("/home/me")))
    }

    #[test]
    fn the_environment_comes_before_the_home() {
        let home = told(&[]);
        let cache = |places: &Places| places.hugging_face.clone().unwrap();
        assert_eq!(cache(&home), Path::new("/home/me/.cache/huggingface/hub"));
        assert_eq!(home.lm_studio[0], Path::new("/home/me/.lmstudio"));
        assert_eq!(home.ollama[0], Path::new("/home/me/.ollama/models"));

        let other = told(&[("HF_HOME", "/hf"), ("OLLAMA_MODELS", "/ollama")]);
        assert_eq!(cache(&other), Path::new("/hf/hub"));
        assert_eq!(other.ollama[0], Path::new("/ollama"));
        let both = told(&[("HF_HOME", "/hf"), ("HF_HUB_CACHE", "/hub")]);
        assert_eq!(cache(&both), Path::new("/hub"));
        let cache_home = told(&[("XDG_CACHE_HOME", "/cache")]);
        assert_eq!(cache(&cache_home), Path::new("/cache/huggingface/hub"));
    }

    #[test]
    fn a_user_without_a_home_has_no_folders_there() {
        let places = Places::told_by(&|_| None, None);
        assert!(places.hugging_face.is_none() && places.lm_studio.is_empty());
    }
}
