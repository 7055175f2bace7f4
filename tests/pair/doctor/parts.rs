//! Parts of the kernel and of the machine that the cases cannot take away, since others use them: the doctor alone sees them
//! broken, by files that lie over the kernel's own, by rights that it lacks, and by what the kernel is made to answer it.

use super::{POLICY, Visit};

/// A kernel that has no modules but those of these two lists, none of them loaded.
fn modules(loadable: &str, builtin: &str) -> String {
    format!(
        "[ ! -e /proc/net/ip_vs ] || mount -t tmpfs none /proc/$$/net;
[ ! -e /proc/modules ] || put '' /proc/modules;
mkdir -p /lib/modules; mount -t tmpfs none /lib/modules; folder=/lib/modules/$(uname -r); mkdir $folder;
printf '{loadable}' >$folder/modules.dep; printf '{builtin}' >$folder/modules.builtin; exec"
    )
}

#[test]
fn modules_that_are_missing_are_found() {
    let visit = Visit::new();
    let file = |name: &str| format!("kernel/net/netfilter/ipvs/{name}.ko.xz:\\n");
    let all = ["ip_vs", "ip_vs_wlc", "nf_tables"].map(file).concat();
    let builtin = all.replace(".xz:", "");
    let well = modules("", &builtin);
    let missing = (
        "module-missing",
        "and the scheduler of pool web needs it",
        "install the kernel's full set of modules",
    );
    visit.broken_for_the_doctor(missing, &modules(&all.replace("ip_vs_wlc", "ip_vs_rr"), ""), &well);
    let idle = ("module-not-loaded", "it is not loaded", "modprobe ip_vs, and at boot");
    visit.broken_for_the_doctor(idle, &modules(&all, ""), &well);
    let unknown = (
        "module-unknown",
        "the list of this kernel's modules cannot be read",
        "load them on the host: modprobe -a ip_vs",
    );
    let hidden = modules("", "").replace("mkdir $folder", "exec \"$@\"");
    visit.broken_for_the_doctor(unknown, &hidden, &well);
    let good = visit.findings(&well, &[]).into_iter().find(|finding| finding["code"] == "modules");
    assert_eq!(good.expect("a finding")["mark"], "ok");
}

#[test]
fn a_kernel_that_is_too_old_and_a_missing_program_are_found() {
    let visit = Visit::new();
    let release = |release: &str| format!("put '{release}-amd64' /proc/sys/kernel/osrelease;");
    let wrapped = POLICY.replace("forwarding: nat", "forwarding: {tun: {encapsulation: gue, port: 6080}}");
    visit.write(&wrapped.replace(":8080", ""));
    let too_old =
        ("encapsulation", "this kernel is 5.1, and IPVS wraps so since 5.2", "use ipip, or a newer kernel");
    visit.broken_for_the_doctor(too_old, &release("5.1.0-9"), &release("5.2.0-1"));
    visit.write(&format!("{POLICY}kernel: {{conn_reuse_mode: 0}}\n"));
    let off = (
        "conn-reuse-mode",
        "before Linux 5.16 this switches expire_nodest_conn off",
        "leave `conn_reuse_mode` out",
    );
    visit.broken_for_the_doctor(off, &release("5.15.0-9"), &release("5.16.0-1"));
    visit.write(POLICY);
    let program = ("nft", "it is missing, and connection_sync needs it", "install the package nftables");
    visit.broken_for_the_doctor(
        program,
        "for nft in /usr/sbin/nft /usr/bin/nft; do [ ! -e $nft ] || mount --bind /dev/null $nft; done;",
        "",
    );
}

#[test]
fn a_clock_that_nobody_keeps_and_stolen_time_and_refused_priority_are_found() {
    let visit = Visit::new();
    // adjtimex(2): 0 is a clock that is kept, 5 one that is not.
    let answers = |status: u8| {
        let calls = "adjtimex,clock_adjtime";
        format!("strace -f -q -o /dev/null -e trace={calls} -e inject={calls}:retval={status}")
    };
    let alone = ("clock", "nobody keeps it right: a director whose clock was ahead", "run a time service");
    visit.broken_for_the_doctor(alone, &answers(5), &answers(0));
    let stolen = |ticks: u32| format!("put 'cpu 100 0 100 800 0 0 0 {ticks} 0 0\\n' /proc/stat;");
    let kept = (
        "stolen-time",
        "20.0% since boot: a standstill of three intervals is a takeover",
        "processors of its own",
    );
    visit.broken_for_the_doctor(kept, &stolen(250), &stolen(2));

    let by = |right: &str| format!("setpriv --bounding-set {right} --inh-caps {right}");
    let refused = ("advert-priority", "no real-time priority 40", "or with CAP_SYS_NICE");
    visit.broken_for_the_doctor(refused, &by("-sys_nice"), "");
}
