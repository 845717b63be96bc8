//! Reads `tauri.conf.json` for the program's name, icons and version.

fn main() {
    tauri_build::build();
}
