//! A log that cannot be written stops no node, and SIGHUP opens the file again.
use crate::{
    net::{Net, Node},
    process::{Process, program},
    room::Room,
    wait::eventually,
};
use nix::sys::signal::Signal;
use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
};

/// Starts a node of which standard output is a pipe.
fn piped(node: &Node, more: &[&str]) -> Process {
    let mut command = program();
    command.args(["start", "--config", node.config().to_str().unwrap()]).args(more);
    Process::spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()))
}

/// Waits until lines are lost; then the node goes on, and stops when it is asked to.
fn goes_on(node: &Node, process: &mut Process) {
    let lost = "timecoin_log_lost_lines_total{reason=\"write\"}";
    eventually("lines are lost", || match node.figure(lost) {
        0 => Err("none".to_owned()),
        count => Ok(count),
    });
    node.reaches(node.height() + 2);
    process.signal(Signal::SIGTERM);
    assert_eq!(process.end(), 0);
}

#[test]
fn a_log_that_cannot_be_written_does_not_stop_a_node() {
    let net = Net::single(Room::one());
    let val0 = net.node("val0");
    net.kill("val0");
    {
        let mut process = piped(val0, &[]);
        let first = BufReader::new(process.stdout()).lines().next();
        assert!(first.is_some_and(|line| line.is_ok()), "a line before the reader goes");
        val0.reaches(1);
        goes_on(val0, &mut process);
    }
    let mut process = val0.start(&["--set", "log.file=/dev/full"]);
    val0.reaches(1);
    goes_on(val0, &mut process);
}

#[test]
fn sighup_opens_the_log_file_again_and_takes_another_filter() {
    let net = Net::single(Room::one());
    let val0 = net.node("val0");
    net.kill("val0");
    let (log, moved) = (val0.dir.join("own.log"), val0.dir.join("own.log.moved"));
    let config = fs::read_to_string(val0.config()).unwrap();
    let with = |filter: &str| {
        let section = format!("[log]\nfile = \"own.log\"\nfilter = \"{filter}\"\n");
        fs::write(val0.config(), config.replace("[log]\n", &section)).unwrap();
    };
    let says = |path: &Path, words: &str| {
        eventually(&format!("`{words}` in {}", path.display()), || {
            let text = fs::read_to_string(path).unwrap_or_default();
            if text.contains(words) { Ok(()) } else { Err(format!("{} bytes", text.len())) }
        });
    };
    with("info");
    let mut process = val0.start(&[]);
    says(&log, "final");
    fs::rename(&log, &moved).unwrap();
    with("debug");
    process.signal(Signal::SIGHUP);
    says(&log, "reloaded log.filter");
    says(&log, "DEBUG");
    assert!(!fs::read_to_string(&moved).unwrap().contains("DEBUG"));

    fs::write(val0.config(), config.replace("[log]", "[lag]")).unwrap();
    process.signal(Signal::SIGHUP);
    says(&log, "nothing was reloaded");
    val0.reaches(val0.height() + 2);
    process.signal(Signal::SIGTERM);
    assert_eq!(process.end(), 0);
    says(&log, "stopped");
}
