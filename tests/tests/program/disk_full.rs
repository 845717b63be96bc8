//! A disk that fills up while a run writes: the run ends with a sentence, nothing is broken, and
//! with space again it goes on to the same bytes.

#![cfg(target_os = "linux")]

use std::process::Command;

use serde_json::{Value, json};

use super::program::{Home, executable};

/// A shell in a mount namespace of its own, with a small disk at `$1`.
fn sandboxed(script: &str, folder: &str) -> Option<Command> {
    let probe = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "true"])
        .output();
    if !probe.is_ok_and(|output| output.status.success()) {
        return None;
    }
    let mut command = Command::new("unshare");
    command
        .args([
            "--user",
            "--map-root-user",
            "--mount",
            "sh",
            "-euc",
            script,
            "sh",
            folder,
        ])
        .arg(executable())
        .env("RAYON_NUM_THREADS", "1");
    Some(command)
}

#[test]
fn a_full_disk_pauses_the_run_and_breaks_nothing() {
    let home = Home::new();
    let disk = home.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let flags = "--steps 8 --batch-size 2 --effective-batch-size 2 --context 96 --threads 1 --json";
    // An adapter has 2.2 MB, a checkpoint three times that: the disk holds one checkpoint and the
    // adapter, and fills up inside the writing of the next. More and more ballast moves the moment.
    let script = format!(
        "mount -t tmpfs -o size=26m tmpfs \"$1\"\n\
         \"$2\" train {flags} --out \"$1/whole\" > \"$1.whole\"\n\
         cp \"$1/whole/adapter/adapter.safetensors\" \"$1.expected\"\n\
         rm -r \"$1/whole\"\n\
         for ballast in 4 8 11 13 15 17 19 21 23 24; do\n\
           head -c ${{ballast}}000000 /dev/zero > \"$1/ballast\"\n\
           code=0; \"$2\" train {flags} --out \"$1/run\" > \"$1.$ballast.first\" 2> \"$1.$ballast.err\" || code=$?\n\
           echo $code > \"$1.$ballast.code\"\n\
           rm \"$1/ballast\"\n\
           if [ -e \"$1/run/run.json\" ]; then\n\
             \"$2\" train --json --resume \"$1/run\" > \"$1.$ballast.second\"\n\
             cp \"$1/run/adapter/adapter.safetensors\" \"$1.$ballast.adapter\"\n\
             find \"$1/run\" -name '*.part' > \"$1.$ballast.left\"\n\
           fi\n\
           rm -rf \"$1/run\"\n\
         done\n"
    );
    let Some(mut command) = sandboxed(&script, disk.to_str().unwrap()) else {
        println!("skipped: this system lets an ordinary user mount no small disk");
        return;
    };
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );

    let read = |ending: &str| std::fs::read(home.path().join(format!("disk.{ending}")));
    let expected = read("expected").unwrap();
    let mut paused = 0;
    for ballast in [4, 8, 11, 13, 15, 17, 19, 21, 23, 24] {
        let code = String::from_utf8(read(&format!("{ballast}.code")).unwrap()).unwrap();
        let first = String::from_utf8(read(&format!("{ballast}.first")).unwrap()).unwrap();
        let last: Value = serde_json::from_str(first.lines().last().unwrap()).unwrap();
        if code.trim() == "0" {
            assert_eq!(last["event"], "finished", "{ballast}");
        } else {
            let said = (&last["event"], &last["code"]);
            assert_eq!(
                said,
                (&json!("failed"), &json!("disk_full")),
                "{ballast}: {first}"
            );
            let error = String::from_utf8(read(&format!("{ballast}.err")).unwrap()).unwrap();
            assert!(
                error.contains("the disk is full") && error.contains("--resume"),
                "{error}"
            );
            paused += 1;
        }
        if let Ok(adapter) = read(&format!("{ballast}.adapter")) {
            assert_eq!(
                adapter, expected,
                "{ballast}: the resumed run ends elsewhere"
            );
            assert_eq!(
                read(&format!("{ballast}.left")).unwrap(),
                b"",
                "temporary files are left"
            );
        }
    }
    assert!(paused >= 5, "only {paused} of the disks filled up");
}
