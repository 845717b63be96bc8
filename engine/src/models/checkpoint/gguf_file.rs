//! The tensors of a GGUF file under the names of a checkpoint.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Entry, Layout};
use crate::models::gguf::{GgufHeader, GgufModel, TensorRole, names};
use crate::models::stored_type::StoredType;
use crate::{Error, Result};

/// Every weight, by its name in a checkpoint.
pub(super) fn entries(
    path: &Path,
    header: &GgufHeader,
    model: &GgufModel,
) -> Result<BTreeMap<String, Entry>> {
    let invalid = |problem: String| Error::ModelFileInvalid {
        path: path.to_path_buf(),
        problem,
    };
    let mut entries = BTreeMap::new();
    for tensor in &header.tensors {
        let role = names::role(model.architecture, model.head_dim, &tensor.name);
        let TensorRole::Weight { name, rows } = role.map_err(invalid)? else {
            continue;
        };
        if let StoredType::Other(kind) = &tensor.stored {
            return Err(Error::TensorType {
                path: path.to_path_buf(),
                name: tensor.name.clone(),
                found: kind.clone(),
            });
        }
        let rows_in_file = tensor.shape.first().copied().unwrap_or(0);
        if !rows.fits(rows_in_file) {
            return Err(invalid(format!(
                "tensor {:?} has {rows_in_file} rows, no whole number of heads",
                tensor.name
            )));
        }
        let entry = Entry {
            file: 0,
            stored: tensor.stored.clone(),
            shape: tensor.shape.clone(),
            bytes: tensor.bytes.clone(),
            layout: Layout {
                rows,
                one_added: model.norms_hold_one && name.ends_with("norm.weight"),
            },
        };
        entries.insert(name, entry);
    }
    Ok(entries)
}
