//! Arbitrary frames for the property tests.

use bytes::Bytes;
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;
use synapse_wire::frame::*;

fn text() -> impl Strategy<Value = String> {
    // Lengths on both sides of the shortest forms of a string.
    prop_oneof![8 => vec(any::<char>(), 0..12), 1 => vec(any::<char>(), 20..90)]
        .prop_map(String::from_iter)
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-200..200_i64).prop_map(Value::from),
        any::<f64>()
            .prop_filter("JSON has no NaN", |float| float.is_finite())
            .prop_map(Value::from),
    ]
}

pub(crate) fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number(),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..18).prop_map(Value::from),
            btree_map(text(), inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn map() -> impl Strategy<Value = Map> {
    btree_map(text(), value(), 0..4).prop_map(|map| map.into_iter().collect())
}

fn bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..300).prop_map(Bytes::from)
}

/// A few runs, so that an arbitrary conversation meets its own.
fn run() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0..4_u64, 1 => any::<u64>()]
}

fn data() -> impl Strategy<Value = ChunkData> {
    prop_oneof![
        text().prop_map(ChunkData::Text),
        map().prop_map(ChunkData::Event)
    ]
}

fn ended() -> impl Strategy<Value = (u64, Option<Bytes>, u64, Option<Map>)> {
    (run(), of(bytes()), any::<u64>(), of(map()))
}

pub(crate) fn from_agent() -> impl Strategy<Value = FromAgent> {
    prop_oneof![4 => of_the_agent(), 6 => of_a_run()]
}

fn of_the_agent() -> impl Strategy<Value = FromAgent> {
    prop_oneof![
        (
            vec(any::<u64>(), 0..4),
            text(),
            text(),
            any::<u32>(),
            of(map())
        )
            .prop_map(|(versions, sdk, python, pid, sources)| Hello {
                versions,
                sdk,
                python,
                pid,
                sources
            }
            .into()),
        map().prop_map(|manifest| Ready { manifest }.into()),
        (0..4_u64, any::<u64>(), any::<u64>()).prop_map(|(nonce, lag_us, resident_bytes)| {
            Pong {
                nonce,
                lag_us,
                resident_bytes,
            }
            .into()
        }),
        (
            run(),
            select(LogLevel::ALL),
            text(),
            text(),
            of(map()),
            any::<u64>()
        )
            .prop_map(|(run, level, logger, message, fields, dropped)| {
                Log {
                    run,
                    level,
                    logger,
                    message,
                    fields,
                    dropped,
                }
                .into()
            }),
    ]
}

fn of_a_run() -> impl Strategy<Value = FromAgent> {
    prop_oneof![
        run().prop_map(|run| Started { run }.into()),
        run().prop_map(|run| Effect { run }.into()),
        (run(), 0..3_u64, text(), map()).prop_map(|(run, call, name, arguments)| ToolCall {
            run,
            call,
            name,
            arguments
        }
        .into()),
        (run(), 0..3_u64, value()).prop_map(|(run, check, output)| OutputCheck {
            run,
            check,
            output
        }
        .into()),
        (run(), 0..3_u64, data()).prop_map(|(run, seq, data)| Chunk { run, seq, data }.into()),
        (ended(), value()).prop_map(|((run, new_messages, message_count, usage), output)| {
            RunResult {
                run,
                output,
                new_messages,
                message_count,
                usage,
            }
            .into()
        }),
        (ended(), text(), text(), text(), any::<bool>(), of(map())).prop_map(
            |(
                (run, new_messages, message_count, usage),
                origin,
                code,
                message,
                retryable,
                details,
            )| {
                let fault = Fault {
                    run,
                    origin,
                    code,
                    message,
                    retryable,
                    details,
                    new_messages,
                    message_count,
                    usage,
                };
                fault.into()
            }
        ),
    ]
}

fn tool() -> impl Strategy<Value = Tool> {
    (text(), text(), map()).prop_map(|(description, name, parameters)| Tool {
        description,
        name,
        parameters,
    })
}

fn welcome() -> impl Strategy<Value = Welcome> {
    (
        any::<u64>(),
        vec(any::<u64>(), 0..4),
        text(),
        text(),
        any::<u64>(),
        map(),
        vec(tool(), 0..3),
    )
        .prop_map(
            |(version, versions, node, agent, incarnation, configuration, tools)| Welcome {
                version,
                versions,
                node,
                agent,
                incarnation,
                configuration,
                tools,
                limits: Limits::default(),
            },
        )
}

pub(crate) fn call() -> impl Strategy<Value = Call> {
    let who = (
        run(),
        value(),
        any::<bool>(),
        any::<bool>(),
        any::<u32>(),
        of(any::<u64>()),
    );
    // A dependency of nil and no dependency are the same bytes.
    let deps = of(value()).prop_map(|deps| deps.filter(|deps| !deps.is_null()));
    let what = (
        deps,
        of(vec(bytes(), 0..3)),
        of(text()),
        of(map()),
        of(text()),
    );
    (who, what, of(map()), of(map())).prop_map(|(who, what, limits, trace)| {
        let (run, input, stream, prefetched, credit, deadline_ms) = who;
        let (deps, history, model, settings, instructions) = what;
        Call {
            run,
            input,
            stream,
            prefetched,
            credit,
            deadline_ms,
            deps,
            history,
            model,
            settings,
            instructions,
            limits,
            trace,
        }
    })
}

pub(crate) fn from_runtime() -> impl Strategy<Value = FromRuntime> {
    prop_oneof![
        welcome().prop_map(FromRuntime::from),
        call().prop_map(FromRuntime::from),
        (
            run(),
            any::<u64>(),
            select(ToolStatus::ALL),
            value(),
            of(text())
        )
            .prop_map(|(run, call, status, value, message)| {
                ToolResult {
                    run,
                    call,
                    status,
                    value,
                    message,
                }
                .into()
            }),
        (run(), any::<u64>(), any::<bool>(), of(text())).prop_map(|(run, check, ok, message)| {
            OutputVerdict {
                run,
                check,
                ok,
                message,
            }
            .into()
        }),
        (run(), any::<u32>()).prop_map(|(run, chunks)| Credit { run, chunks }.into()),
        (run(), select(CancelReason::ALL)).prop_map(|(run, reason)| Cancel { run, reason }.into()),
        any::<u64>().prop_map(|nonce| Ping { nonce }.into()),
        any::<u64>().prop_map(|deadline_ms| Stop { deadline_ms }.into()),
    ]
}
