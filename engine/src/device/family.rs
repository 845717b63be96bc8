//! Which processes are this Stepladder: this one, and the other workers of the program that started it.

use sysinfo::{Pid, Process, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

const OUR_NAMES: &str = "stepladder";

/// Looks processes up, and remembers nothing of them.
pub(super) struct Family {
    /// None where the system tells nothing of its processes.
    system: Option<System>,
    own: u32,
    parent: Option<Pid>,
}

impl Family {
    /// The family of this process, and what is known of `others`.
    pub fn of_this_process(others: &[u32]) -> Self {
        let own = std::process::id();
        let mut system = System::new().ok();
        let pids: Vec<Pid> = { others.iter().chain([&own]) }
            .map(|process| Pid::from_u32(*process))
            .collect();
        if let Some(system) = &mut system {
            system.refresh_processes_specifics(
                ProcessesToUpdate::Some(&pids),
                true,
                ProcessRefreshKind::nothing().with_exe(UpdateKind::OnlyIfNotSet),
            );
        }
        let parent =
            { system.as_ref() }.and_then(|system| system.process(Pid::from_u32(own))?.parent());
        Self {
            system,
            own,
            parent,
        }
    }

    /// Whether a process is one of us.
    pub fn has(&self, process: u32) -> bool {
        if process == self.own {
            return true;
        }
        let Some(found) = self.find(process) else {
            return false;
        };
        let is_named = found.exe().and_then(|exe| exe.file_name());
        let is_named = is_named.is_some_and(|name| name.to_string_lossy().starts_with(OUR_NAMES));
        is_named && found.parent().is_some() && found.parent() == self.parent
    }

    /// The name of a process as the system has it.
    pub fn name(&self, process: u32) -> Option<String> {
        let name = self.find(process)?.name().to_string_lossy().into_owned();
        (!name.is_empty()).then_some(name)
    }

    fn find(&self, process: u32) -> Option<&Process> {
        self.system.as_ref()?.process(Pid::from_u32(process))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_family_and_its_parent_is_not() {
        let own = std::process::id();
        let family = Family::of_this_process(&[1]);
        assert!(family.has(own));
        assert!(!family.has(1));
        assert!(!family.has(u32::MAX - 1));
        assert!(family.name(own).is_some());
    }
}
