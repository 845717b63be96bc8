//! Stepladder as an installed desktop program: the same window as `stepladder` opens, with Tauri's
//! core beside it for what belongs to an installation. There is no webview: the core runs on a thread
//! of its own, the window on the main thread, and both end together.
#![cfg_attr(windows, windows_subsystem = "windows")]

use std::process::ExitCode;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use tauri::{AppHandle, RunEvent};

/// What keeps the program from starting.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error("the desktop core does not start: {0}")]
    Core(String),
    #[error("the window cannot be opened: {0}")]
    Window(String),
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            use std::io::Write;
            // On Windows there is no console to write to; then the exit code is all there is.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), StartError> {
    let (core, handle) = start_core()?;
    let window = stepladder::window::open().map_err(|error| StartError::Window(error.to_string()));
    handle.exit(0);
    // A core that panicked has said so; the window is closed either way.
    let _ = core.join();
    window
}

/// Starts Tauri's event loop on a thread and waits until it stands.
fn start_core() -> Result<(JoinHandle<()>, AppHandle), StartError> {
    let (sender, handles) = channel();
    let core = std::thread::Builder::new()
        .name("desktop core".to_owned())
        .spawn(move || core(&sender))
        .map_err(|error| StartError::Core(error.to_string()))?;
    match handles.recv() {
        Ok(Ok(handle)) => Ok((core, handle)),
        Ok(Err(problem)) => Err(StartError::Core(problem)),
        Err(_) => Err(StartError::Core("it ended at once".to_owned())),
    }
}

fn core(started: &Sender<Result<AppHandle, String>>) {
    let on_setup = started.clone();
    let built = tauri::Builder::default()
        .any_thread()
        .setup(move |app| {
            // The main thread waits for this; should it be gone, the event loop ends with the process.
            let _ = on_setup.send(Ok(app.handle().clone()));
            Ok(())
        })
        .build(tauri::generate_context!());
    match built {
        Ok(app) => {
            app.run_return(|_, event| {
                // It has no windows of its own, which is no reason to end.
                if let RunEvent::ExitRequested {
                    code: None, api, ..
                } = event
                {
                    api.prevent_exit();
                }
            });
        }
        Err(error) => {
            let _ = started.send(Err(error.to_string()));
        }
    }
}
