//! The lines as they cross: golden text for each kind, there and back again.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use stepladder_protocol::*;

/// The value becomes exactly this line, and the line becomes the value again.
fn line<T>(value: T, expected: &str)
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let text = serde_json::to_string(&value).unwrap();
    assert_eq!(text, expected);
    assert_eq!(serde_json::from_str::<T>(&text).unwrap(), value);
}

fn job() -> JobId {
    JobId::new("j1")
}

fn step() -> StepRow {
    StepRow {
        step: 12,
        loss: Some(1.93),
        learning_rate: Some(4.9e-4),
        gradient_norm: Some(0.7),
        tokens_per_second: Some(5120.0),
        tokens: 4096,
        target_tokens: 1024,
        elapsed_secs: Some(9.5),
        remaining_secs: Some(100.0),
        peak_bytes: Some(35_000_000),
    }
}

fn report() -> ErrorReport {
    ErrorReport::new(
        "config_invalid",
        "context: 0 is too short",
        "give at least 1",
    )
}

#[test]
fn commands_are_one_object_each() {
    let train = TrainCommand {
        job: job(),
        config: RunConfig::default(),
        out: Some("/runs/a".into()),
        resume: None,
        min_event_interval_ms: 0,
    };
    let text = serde_json::to_string(&Command::Train(Box::new(train.clone()))).unwrap();
    assert!(text.starts_with(r#"{"command":"train","job":"j1","config":{"model":"builtin","#));
    assert!(
        text.ends_with(r#","out":"/runs/a","min_event_interval_ms":0}"#),
        "{text}"
    );
    assert_eq!(
        serde_json::from_str::<Command>(&text).unwrap(),
        Command::Train(Box::new(train))
    );

    line(
        Command::Chat(ChatCommand {
            job: job(),
            model: "builtin".to_owned(),
            adapter: Some("/runs/a".into()),
            device: "cpu".to_owned(),
        }),
        r#"{"command":"chat","job":"j1","model":"builtin","adapter":"/runs/a","device":"cpu"}"#,
    );
    line(
        Command::ChatTurn(ChatTurn {
            job: job(),
            messages: vec![ChatMessage {
                role: Role::User,
                content: "2+2?".to_owned(),
            }],
            settings: SamplerSettings {
                temperature: Some(0.7),
                seed: Some(7),
                max_tokens: Some(1024),
                ..SamplerSettings::default()
            },
            adapter: AdapterChoice::Opened,
        }),
        concat!(
            r#"{"command":"chat_turn","job":"j1","messages":[{"role":"user","content":"2+2?"}],"#,
            r#""settings":{"temperature":0.7,"top_k":null,"top_p":null,"min_p":null,"#,
            r#""repetition_penalty":null,"seed":7,"max_tokens":1024}}"#
        ),
    );
    line(
        Command::Inspect(InspectCommand {
            job: job(),
            target: "a.jsonl".to_owned(),
            more: Vec::new(),
            model: Some("builtin".to_owned()),
            show: Some(3),
            from: None,
            context: None,
            data_options: None,
            held_out_fraction: None,
            hash: false,
        }),
        r#"{"command":"inspect","job":"j1","target":"a.jsonl","model":"builtin","show":3}"#,
    );
    line(
        Command::Inspect(InspectCommand {
            job: job(),
            target: "a.jsonl".to_owned(),
            more: vec!["b.csv".to_owned()],
            model: None,
            show: None,
            from: None,
            context: None,
            data_options: None,
            held_out_fraction: Some(0.1),
            hash: false,
        }),
        r#"{"command":"inspect","job":"j1","target":"a.jsonl","more":["b.csv"],"held_out_fraction":0.1}"#,
    );
    line(
        Command::Check(CheckCommand {
            job: job(),
            device: "cpu".to_owned(),
            cells: Some(8),
        }),
        r#"{"command":"check","job":"j1","device":"cpu","cells":8}"#,
    );
    line(
        Command::ChatInterrupt(JobRef { job: job() }),
        r#"{"command":"chat_interrupt","job":"j1"}"#,
    );
    line(
        Command::ChatEnd(JobRef { job: job() }),
        r#"{"command":"chat_end","job":"j1"}"#,
    );
    line(
        Command::Devices(JobRef { job: job() }),
        r#"{"command":"devices","job":"j1"}"#,
    );
    line(
        Command::Stop(JobRef { job: job() }),
        r#"{"command":"stop","job":"j1"}"#,
    );
    line(Command::Shutdown, r#"{"command":"shutdown"}"#);
}

#[test]
fn short_commands_take_defaults_and_wrong_ones_say_what_is_wrong() {
    let command = serde_json::from_str(r#"{"command":"train","job":"j","config":{}}"#).unwrap();
    let Command::Train(train) = command else {
        panic!("not a train command")
    };
    assert_eq!(train.config, RunConfig::default());
    assert_eq!(train.min_event_interval_ms, 100);

    let wrong = |text: &str| {
        serde_json::from_str::<Command>(text)
            .unwrap_err()
            .to_string()
    };
    assert!(wrong(r#"{"command":"dance"}"#).contains("unknown variant `dance`"));
    assert!(wrong(r#"{"command":"stop","job":"j","now":true}"#).contains("unknown field `now`"));
    assert!(
        wrong(r#"{"command":"train","job":"j","config":{"contxt":8}}"#).contains("`contxt`"),
        "a typo in the config must not be ignored"
    );
}

#[test]
fn events_of_a_run() {
    line(
        EventLine {
            event: Event::Hello(Hello {
                protocol: PROTOCOL,
                version: "0.1.0".to_owned(),
                build: "0123456789abcdef".to_owned(),
                platform: "linux x86_64, CPU".to_owned(),
            }),
            job: None,
        },
        r#"{"event":"hello","protocol":1,"version":"0.1.0","build":"0123456789abcdef","platform":"linux x86_64, CPU"}"#,
    );
    line(
        Event::Rejected(report()).of(&job()),
        r#"{"event":"rejected","code":"config_invalid","message":"context: 0 is too short","hint":"give at least 1","job":"j1"}"#,
    );
    line(
        Event::Queued { ahead: 1 }.of(&job()),
        r#"{"event":"queued","ahead":1,"job":"j1"}"#,
    );
    for (phase, name) in [
        (Phase::LoadingModel, "loading_model"),
        (Phase::LoadingData, "loading_data"),
        (Phase::Training, "training"),
        (Phase::Evaluating, "evaluating"),
        (Phase::Checkpointing, "checkpointing"),
    ] {
        let expected = format!(r#"{{"event":"phase","phase":"{name}","job":"j1"}}"#);
        line(Event::Phase { phase }.of(&job()), &expected);
    }
    line(
        Event::Started(RunStarted {
            total_steps: 108,
            first_step: 0,
            training_examples: 570,
            held_out_examples: 30,
            trainable_parameters: 1_000,
            backbone_parameters: 100_000,
            device: "CPU, 2 threads".to_owned(),
        })
        .of(&job()),
        concat!(
            r#"{"event":"started","total_steps":108,"first_step":0,"training_examples":570,"#,
            r#""held_out_examples":30,"trainable_parameters":1000,"backbone_parameters":100000,"#,
            r#""device":"CPU, 2 threads","job":"j1"}"#
        ),
    );
    line(
        Event::Notice {
            text: "3 rows are left out.".to_owned(),
        }
        .of(&job()),
        r#"{"event":"notice","text":"3 rows are left out.","job":"j1"}"#,
    );
    line(
        Event::Step(step()).of(&job()),
        concat!(
            r#"{"event":"step","step":12,"loss":1.93,"learning_rate":0.00049,"gradient_norm":0.7,"#,
            r#""tokens_per_second":5120.0,"tokens":4096,"target_tokens":1024,"elapsed_secs":9.5,"#,
            r#""remaining_secs":100.0,"peak_bytes":35000000,"job":"j1"}"#
        ),
    );
    line(
        Event::Evaluation(EvaluationRow {
            step: 50,
            loss: Some(1.71),
            best: true,
        })
        .of(&job()),
        r#"{"event":"evaluation","step":50,"loss":1.71,"best":true,"job":"j1"}"#,
    );
    line(
        Event::Sample(SampleRow {
            step: 50,
            number: 1,
            prompt: "2 + 3?".to_owned(),
            answer: "6".to_owned(),
            reference: "5".to_owned(),
            tokens: Some(2),
            reasoning_tokens: Some(0),
            finish: Some(FinishReason::Stop),
        })
        .of(&job()),
        r#"{"event":"sample","step":50,"number":1,"prompt":"2 + 3?","answer":"6","reference":"5","tokens":2,"reasoning_tokens":0,"finish":"stop","job":"j1"}"#,
    );
    line(
        Event::Checkpoint {
            path: "/runs/a/checkpoints/50".to_owned(),
        }
        .of(&job()),
        r#"{"event":"checkpoint","path":"/runs/a/checkpoints/50","job":"j1"}"#,
    );
}

#[test]
fn events_of_a_chat() {
    line(
        Event::Ready(ChatReady {
            model: "builtin".to_owned(),
            adapter: Some("ladder".to_owned()),
            device: "CPU, 2 threads".to_owned(),
            context_length: 512,
        })
        .of(&job()),
        r#"{"event":"ready","model":"builtin","adapter":"ladder","device":"CPU, 2 threads","context_length":512,"job":"j1"}"#,
    );
    line(
        Event::Text {
            text: "<think>\n".to_owned(),
            reasoning: true,
        }
        .of(&job()),
        r#"{"event":"text","text":"<think>\n","reasoning":true,"job":"j1"}"#,
    );
    line(
        Event::TurnFailed(report()).of(&job()),
        r#"{"event":"turn_failed","code":"config_invalid","message":"context: 0 is too short","hint":"give at least 1","job":"j1"}"#,
    );
    line(
        Event::Reply(ReplyStats {
            reasoning_tokens: 10,
            total_tokens: 12,
            finish: FinishReason::Stop,
            tokens_per_second: Some(40.5),
            reasoning_secs: Some(0.25),
            prompt_tokens: 30,
            context_length: 1024,
        })
        .of(&job()),
        r#"{"event":"reply","reasoning_tokens":10,"total_tokens":12,"finish":"stop","tokens_per_second":40.5,"reasoning_secs":0.25,"prompt_tokens":30,"context_length":1024,"job":"j1"}"#,
    );
}

#[test]
fn a_check_of_the_memory_plan() {
    line(
        Event::Checked(CheckedCell {
            number: 2,
            of: 96,
            done: 0.25,
            method: Method::Xladder,
            layers: 6,
            d_model: 256,
            vocabulary: 4096,
            parameters: 1_000,
            quantize: Quantize::Nf4,
            quantize_head: Switch::Off,
            recompute: Switch::On,
            recompute_taps: Switch::Off,
            tap_dtype: TapDtype::Bf16,
            optimizer: Optimizer::AdamW8bit,
            context: 512,
            batch_size: 4,
            estimated_bytes: 1_500,
            measured_bytes: 1_000,
            estimated_weights_bytes: 500,
            measured_weights_bytes: 500,
            error: 0.5,
            error_without_weights: 1.0,
            peak_moment: "loss".to_owned(),
            fitted: true,
        })
        .of(&job()),
        concat!(
            r#"{"event":"checked","number":2,"of":96,"done":0.25,"method":"xladder","layers":6,"#,
            r#""d_model":256,"vocabulary":4096,"parameters":1000,"quantize":"nf4","#,
            r#""quantize_head":"off","recompute":"on","recompute_taps":"off","tap_dtype":"bf16","#,
            r#""optimizer":"adamw-8bit","context":512,"batch_size":4,"estimated_bytes":1500,"#,
            r#""measured_bytes":1000,"estimated_weights_bytes":500,"measured_weights_bytes":500,"#,
            r#""error":0.5,"error_without_weights":1.0,"peak_moment":"loss","fitted":true,"job":"j1"}"#
        ),
    );
    let errors = CheckErrors {
        cells: 1,
        mean: 0.25,
        largest: 0.5,
        mean_without_weights: 0.75,
        largest_without_weights: 1.5,
    };
    line(
        Event::Finished(Finished::Check(CheckSummary {
            cells: 1,
            weights_at_most_half: 1,
            all: errors,
            fitted: CheckErrors::default(),
            others: errors,
        }))
        .of(&job()),
        concat!(
            r#"{"event":"finished","kind":"check","cells":1,"weights_at_most_half":1,"#,
            r#""all":{"cells":1,"mean":0.25,"largest":0.5,"mean_without_weights":0.75,"largest_without_weights":1.5},"#,
            r#""fitted":{"cells":0,"mean":0.0,"largest":0.0,"mean_without_weights":0.0,"largest_without_weights":0.0},"#,
            r#""others":{"cells":1,"mean":0.25,"largest":0.5,"mean_without_weights":0.75,"largest_without_weights":1.5},"job":"j1"}"#
        ),
    );
}

#[test]
fn ends_of_jobs() {
    let summary = TrainSummary {
        run: "/runs/a".to_owned(),
        step: 108,
        best_evaluation_loss: Some(1.71),
        estimated_peak_bytes: None,
        measured_peak_bytes: Some(1 << 30),
        elapsed_secs: Some(60.0),
    };
    line(
        Event::Finished(Finished::Training(summary)).of(&job()),
        concat!(
            r#"{"event":"finished","kind":"training","run":"/runs/a","step":108,"#,
            r#""best_evaluation_loss":1.71,"estimated_peak_bytes":null,"#,
            r#""measured_peak_bytes":1073741824,"elapsed_secs":60.0,"job":"j1"}"#
        ),
    );
    line(
        Event::Finished(Finished::Chat(ChatSummary { replies: 2 })).of(&job()),
        r#"{"event":"finished","kind":"chat","replies":2,"job":"j1"}"#,
    );
    line(
        Event::Finished(Finished::Devices(DeviceReport {
            devices: vec![DeviceInfo {
                id: "cpu".to_owned(),
                name: "A Processor".to_owned(),
                cores: Some(4),
                threads: 8,
                memory_total_bytes: 16,
                memory_free_bytes: 8,
                card: None,
            }],
            notices: vec!["No GPU.".to_owned()],
        }))
        .of(&job()),
        concat!(
            r#"{"event":"finished","kind":"devices","devices":[{"id":"cpu","name":"A Processor","#,
            r#""cores":4,"threads":8,"memory_total_bytes":16,"memory_free_bytes":8}],"#,
            r#""notices":["No GPU."],"job":"j1"}"#
        ),
    );
    line(
        Event::Finished(Finished::Devices(DeviceReport {
            devices: vec![DeviceInfo {
                id: "cuda:0".to_owned(),
                name: "A Card".to_owned(),
                cores: None,
                threads: 8,
                memory_total_bytes: 16,
                memory_free_bytes: 8,
                card: Some(CardInfo {
                    compute_capability: "8.9".to_owned(),
                    driver: Some("580.65".to_owned()),
                    cuda: "13.0".to_owned(),
                    other_programs_bytes: 3,
                    other_programs: vec![ProgramOnCard {
                        name: "game".to_owned(),
                        process: 7,
                        bytes: None,
                    }],
                }),
            }],
            notices: Vec::new(),
        }))
        .of(&job()),
        concat!(
            r#"{"event":"finished","kind":"devices","devices":[{"id":"cuda:0","name":"A Card","#,
            r#""cores":null,"threads":8,"memory_total_bytes":16,"memory_free_bytes":8,"#,
            r#""card":{"compute_capability":"8.9","driver":"580.65","cuda":"13.0","#,
            r#""other_programs_bytes":3,"other_programs":[{"name":"game","process":7,"bytes":null}]}}],"#,
            r#""notices":[],"job":"j1"}"#
        ),
    );
    line(
        Event::Stopped {
            run: Some("/runs/a".to_owned()),
            step: 7,
        }
        .of(&job()),
        r#"{"event":"stopped","run":"/runs/a","step":7,"job":"j1"}"#,
    );
    line(
        Event::Failed(ErrorReport {
            details: Some("at a.rs:1".to_owned()),
            ..report()
        })
        .of(&job()),
        r#"{"event":"failed","code":"config_invalid","message":"context: 0 is too short","hint":"give at least 1","details":"at a.rs:1","job":"j1"}"#,
    );
}

#[test]
fn what_was_inspected() {
    let model = ModelInfo {
        name: "builtin".to_owned(),
        path: None,
        architecture: "qwen3".to_owned(),
        file_format: "safetensors".to_owned(),
        parameters: 1_000_000,
        weight_bytes: 2_000_000,
        weight_dtype: "bf16".to_owned(),
        quantization: None,
        layers: 8,
        d_model: 128,
        attention_heads: 4,
        key_value_heads: 2,
        vocabulary: 4096,
        context_length: 1024,
        tied_embeddings: true,
        chat_template: true,
        license: Some("MIT".to_owned()),
        tokenizer_tokens: 4000,
        types: vec![
            TypeShare {
                name: "BF16".to_owned(),
                quantized: false,
                tensors: 90,
                bytes: 2_000_000,
            },
            TypeShare {
                name: "F32".to_owned(),
                quantized: false,
                tensors: 17,
                bytes: 100_000,
            },
        ],
        files: vec![ModelFileInfo {
            name: "model.safetensors".to_owned(),
            bytes: 2_100_400,
            sha256: Some("ab12".to_owned()),
        }],
    };
    let preview = DatasetPreview {
        complete: true,
        files: vec![DatasetFile {
            path: "a.jsonl".to_owned(),
            container: "JSONL".to_owned(),
            format: DataFormat::Messages,
            confidence: 0.5,
            columns: [("messages".to_owned(), "turns".to_owned())].into(),
            ..DatasetFile::default()
        }],
        skipped_rows: vec![SkippedRow {
            path: "a.jsonl".to_owned(),
            line: 2,
            reason: "no messages".to_owned(),
            hint: "add some".to_owned(),
        }],
        lengths: Some(TokenLengths {
            histogram: vec![LengthRange {
                from: 1,
                to: 9,
                examples: 4,
            }],
            ..TokenLengths::default()
        }),
        shown: vec![ExamplePreview {
            row: 1,
            path: "a.jsonl".to_owned(),
            line: 1,
            tokens: Some(3),
            segments: vec![Segment {
                text: "hi".to_owned(),
                used: TokenUse::CutOff,
                first_token: Some(0),
                tokens: Some(3),
            }],
        }],
        ..DatasetPreview::default()
    };
    let text =
        serde_json::to_string(&Event::Preview(Box::new(preview.clone())).of(&job())).unwrap();
    assert!(
        text.starts_with(r#"{"event":"preview","complete":true,"#),
        "{text}"
    );
    assert!(
        text.contains(r#""segments":[{"text":"hi","used":"cut_off","first_token":0,"tokens":3}]"#),
        "{text}"
    );
    for finished in [Finished::Model(model), Finished::Dataset(Box::new(preview))] {
        let line = Event::Finished(finished).of(&job());
        let text = serde_json::to_string(&line).unwrap();
        assert_eq!(serde_json::from_str::<EventLine>(&text).unwrap(), line);
    }
}

#[test]
fn what_is_not_a_number_crosses_as_null() {
    assert_eq!(finite(f64::NAN), None);
    assert_eq!(finite(f64::INFINITY), None);
    assert_eq!(finite(1.5), Some(1.5));

    let row = StepRow {
        loss: finite(f64::NAN),
        ..step()
    };
    let text = serde_json::to_string(&MetricsRow::Step(row.clone())).unwrap();
    assert!(
        text.starts_with(r#"{"event":"step","step":12,"loss":null,"#),
        "{text}"
    );
    assert_eq!(
        serde_json::from_str::<MetricsRow>(&text).unwrap(),
        MetricsRow::Step(row)
    );

    // Even a careless writer cannot produce a line that does not parse.
    let careless = StepRow {
        gradient_norm: Some(f64::INFINITY),
        ..step()
    };
    let text = serde_json::to_string(&careless).unwrap();
    assert_eq!(
        serde_json::from_str::<StepRow>(&text)
            .unwrap()
            .gradient_norm,
        None
    );
}

#[test]
fn figures_survive_to_the_last_bit() {
    let loss = 0.1 + 0.2;
    let text = serde_json::to_string(&Event::Step(StepRow {
        loss: Some(loss),
        ..step()
    }))
    .unwrap();
    let Event::Step(row) = serde_json::from_str(&text).unwrap() else {
        panic!("not a step")
    };
    assert_eq!(row.loss.map(f64::to_bits), Some(loss.to_bits()));
}

#[test]
fn only_the_three_ends_end_a_job() {
    assert!(Event::Failed(report()).ends_job());
    assert!(Event::Stopped { run: None, step: 0 }.ends_job());
    assert!(Event::Finished(Finished::Chat(ChatSummary { replies: 0 })).ends_job());
    assert!(!Event::Rejected(report()).ends_job());
    assert!(!Event::Step(step()).ends_job());
}

fn comparison() -> ComparisonReport {
    ComparisonReport {
        questions: 2,
        baseline: BASE.to_owned(),
        variants: vec![VariantReport {
            name: "a".to_owned(),
            method: Some(Method::Xladder),
            parameters: 10,
            accuracy: Some(0.5),
            right: 1,
            wrong: 1,
            not_judged: 0,
            median_reasoning_tokens: Some(4.5),
            mean_reasoning_tokens: Some(5.0),
            answered: 1,
            no_answer: 0,
            truncated: 1,
            no_trace: 1,
            empty_trace: 0,
            missing_trace: 1,
            distinct_3: None,
            total_tokens: 20,
            difference: Some(Difference {
                mean: -2.5,
                low: None,
                high: None,
                pairs: 1,
            }),
            difference_both_right: None,
        }],
        model: "builtin".to_owned(),
        question_source: "q.jsonl".to_owned(),
        left_out_trained_on: 3,
        settings: SamplerSettings::default(),
        answer_pattern: None,
        notices: Vec::new(),
        matched: None,
    }
}

#[test]
fn a_comparison() {
    let short =
        r#"{"command":"compare","job":"j1","model":"builtin","adapters":["/runs/a"],"out":"/c"}"#;
    let Command::Compare(command) = serde_json::from_str(short).unwrap() else {
        panic!("not a comparison");
    };
    assert_eq!(
        (command.baseline.as_str(), command.batch_size),
        (BASE, 8),
        "what is not said has a default"
    );
    assert_eq!((command.device.as_str(), command.limit), ("auto", None));
    line(
        Event::Answer(Box::new(AnswerGiven {
            question: 1,
            variant: 0,
            answer: ComparedAnswer {
                text: "<think>x</think>7".to_owned(),
                answer_start: 16,
                reasoning_tokens: 2,
                total_tokens: 4,
                trace: TraceState::Complete,
                outcome: AnswerOutcome::Answered,
                answer: Some("7".to_owned()),
                verdict: AnswerVerdict::NotJudged,
                finish: FinishReason::Stop,
                distinct_3: Some(1.0),
            },
        }))
        .of(&job()),
        concat!(
            r#"{"event":"answer","question":1,"variant":0,"text":"<think>x</think>7","answer_start":16,"#,
            r#""reasoning_tokens":2,"total_tokens":4,"trace":"complete","outcome":"answered","answer":"7","#,
            r#""verdict":"not_judged","finish":"stop","distinct_3":1.0,"job":"j1"}"#
        ),
    );
    line(
        Event::Comparing(ComparisonProgress {
            variants: vec![VariantProgress {
                done: 1,
                total: 2,
                tokens_per_second: None,
            }],
            elapsed_secs: 0.5,
            remaining_secs: Some(0.5),
        })
        .of(&job()),
        concat!(
            r#"{"event":"comparing","variants":[{"done":1,"total":2,"tokens_per_second":null}],"#,
            r#""elapsed_secs":0.5,"remaining_secs":0.5,"job":"j1"}"#
        ),
    );
    line(
        ComparisonDocument {
            report: comparison(),
            rows: vec![ComparedRow {
                question: ComparedQuestion {
                    number: 1,
                    question: "2+2?".to_owned(),
                    reference: None,
                },
                answers: Vec::new(),
            }],
        },
        concat!(
            r#"{"questions":2,"baseline":"base","variants":[{"name":"a","method":"xladder","parameters":10,"#,
            r#""accuracy":0.5,"right":1,"wrong":1,"not_judged":0,"median_reasoning_tokens":4.5,"#,
            r#""mean_reasoning_tokens":5.0,"answered":1,"no_answer":0,"truncated":1,"no_trace":1,"#,
            r#""empty_trace":0,"missing_trace":1,"distinct_3":null,"total_tokens":20,"#,
            r#""difference":{"mean":-2.5,"low":null,"high":null,"pairs":1},"difference_both_right":null}],"#,
            r#""model":"builtin","question_source":"q.jsonl","left_out_trained_on":3,"#,
            r#""settings":{"temperature":null,"top_k":null,"top_p":null,"min_p":null,"#,
            r#""repetition_penalty":null,"seed":null,"max_tokens":null},"answer_pattern":null,"notices":[],"#,
            r#""rows":[{"number":1,"question":"2+2?","reference":null,"answers":[]}]}"#
        ),
    );
    let finished = Event::Finished(Finished::Comparison(Box::new(comparison())));
    let text = serde_json::to_string(&finished).unwrap();
    assert!(
        text.starts_with(r#"{"event":"finished","kind":"comparison","questions":2,"#),
        "{text}"
    );
}
