//! Where weights come from: a running question for each server, beside its check.

use super::pool::{Context, Facts};
use super::{config, programs};
use crate::model::{
    AfterSilence, AgentSpec, Check, CheckName, ExecSpec, ExecWeight, FailAtOnce, ProbeSpec, RealServer,
    TargetKey, Through, WeightFrom,
};
use crate::policy::codes::Code;
use crate::policy::defaults;
use crate::policy::diagnostic::{Diagnostic, Problems};
use crate::policy::read::Spanned;
use crate::policy::schema::{AfterSilenceWord, PoolText, WeightFromText};
use crate::policy::source::Sources;
use std::net::SocketAddr;

/// How answers are taken, and the servers with their sources.
pub(super) fn weights(
    pool: &PoolText,
    facts: &Facts<'_>,
    servers: &mut [Spanned<RealServer>],
    context: &mut Context<'_, '_>,
) -> WeightFrom {
    let Some(said) = pool.weight_from.given() else { return WeightFrom::default() };
    config::weights_are_seen(pool, said.span, context.problems);
    let name = CheckName::from(format!("{}/weight_from", facts.name.value));
    if let Some(check) = source(name, said, context.checks.sources, context.problems) {
        for server in servers {
            let port = check.port.unwrap_or(0);
            let address = SocketAddr::new(server.value.address, port);
            server.value.weight_source =
                Some(TargetKey { check: check.name.clone(), address, real_path: None }.into());
        }
        if let (ProbeSpec::Exec(_), Some((path, span))) =
            (&check.probe, said.value.exec.value().and_then(programs::place))
        {
            context.places.programs.entry(path).or_insert(span);
        }
        context.used.insert(check.name.clone(), check);
    }
    let text = &said.value;
    let default = WeightFrom::default();
    WeightFrom {
        valid_for: text.valid_for.value().map_or(default.valid_for, |valid_for| valid_for.0),
        after_silence: match text.on_silence.value() {
            None | Some(AfterSilenceWord::Configured) => AfterSilence::Configured,
            Some(AfterSilenceWord::Keep) => AfterSilence::Keep,
        },
        shadow: config::says(text.shadow.value()),
    }
}

/// The question as a check of its own, whose verdict nobody asks for; `None` after a problem.
fn source(
    name: CheckName,
    said: &Spanned<WeightFromText>,
    sources: &Sources,
    problems: &mut Problems,
) -> Option<Check> {
    let text = &said.value;
    let (probe, port) = probe(said, sources, problems)?;
    let interval = text.interval.value().map_or(defaults::WEIGHT_INTERVAL, |interval| interval.0);
    Some(Check {
        name,
        probe,
        interval,
        interval_down: interval,
        interval_changing: interval,
        jitter_percent: 0,
        timeout: text.timeout.value().map_or(defaults::TIMEOUT, |timeout| timeout.0),
        rise: 1,
        fall: 1,
        fail_at_once: FailAtOnce::default(),
        port,
        address: None,
        source: None,
        interface: None,
        mark: None,
        through: Through::Direct,
    })
}

/// Exactly one source must be said.
fn probe(
    said: &Spanned<WeightFromText>,
    sources: &Sources,
    problems: &mut Problems,
) -> Option<(ProbeSpec, Option<u16>)> {
    let text = &said.value;
    let kinds = [text.agent.is_absent(), text.exec.is_absent(), text.file.is_absent()];
    let count = kinds.iter().filter(|absent| !**absent).count();
    if count != 1 {
        let message = format!("`weight_from` names {count} sources");
        problems.push(
            Diagnostic::new(Code::WeightSource, said.span, message)
                .help("name one: `agent: {port: 9777}`, `exec: {command: […]}` or `file: {path: …}`"),
        );
        return None;
    }
    if let Some(agent) = text.agent.value() {
        let send = agent.send.value().map(|send| send.0.clone()).unwrap_or_default();
        return Some((ProbeSpec::Agent(AgentSpec { send }), Some(agent.port.value()?.port())));
    }
    if let Some(exec) = text.exec.value() {
        let spec = programs::exec(exec, problems)?;
        let weight = spec.weight.or(Some(ExecWeight::Printed));
        return Some((ProbeSpec::Exec(ExecSpec { weight, ..spec }), None));
    }
    let file = programs::file(text.file.value()?, sources)?;
    Some((ProbeSpec::File(file), None))
}
