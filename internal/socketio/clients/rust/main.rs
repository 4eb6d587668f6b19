//! The Rust client of the matrix. The argument is the address of a worker. See clients_test.go for what is printed.
use rust_socketio::{ClientBuilder, Event, Payload, RawClient, TransportType};
use serde_json::{json, Value};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

fn tell(way: &str, step: &str) {
    let client = "rust_socketio 0.6.0";
    println!("{}", json!({"client": client, "way": way, "nickname": format!("rust-{way}"), "step": step}));
}

/// Returns the first argument of an event or an acknowledgement.
fn first(answer: Payload) -> Value {
    match answer {
        Payload::Text(mut values) if !values.is_empty() => match values.swap_remove(0) {
            Value::Array(mut arguments) if !arguments.is_empty() => arguments.swap_remove(0),
            value => value,
        },
        _ => Value::Null,
    }
}

fn speak(way: &'static str, socket: &RawClient) {
    let hello = vec![json!("hello"), json!({})];
    let said = move |answer, _: RawClient| {
        if first(answer)["ok"] == true {
            tell(way, "ack");
        }
    };
    socket.emit_with_ack("user message", hello, PATIENCE, said).expect("a text is sent");
    // With an acknowledgement the library would send a packet of the wrong type.
    socket.emit("user message", vec![1, 2, 3]).expect("data are sent");
}

fn start(address: &str, way: &'static str, transport: TransportType) {
    let mut connections = 0;
    let client = ClientBuilder::new(address)
        .transport_type(transport) // an upgrade is complete before the socket connects
        .on(Event::Connect, move |_, socket: RawClient| {
            connections += 1;
            let number = connections;
            if number == 1 {
                tell(way, "connect");
            }
            let named = move |answer, socket: RawClient| {
                if first(answer) == true {
                    return;
                }
                tell(way, ["name", "SIGTERM", "kill"][number - 1]);
                if number == 1 {
                    // The library holds a lock while it calls, which the next emit needs.
                    std::thread::spawn(move || speak(way, &socket));
                }
            };
            let nickname = format!("rust-{way}");
            socket.emit_with_ack("nickname", nickname, PATIENCE, named).expect("a name is sent");
        })
        .on("refused", move |refusal, _| {
            if first(refusal)["code"] == "bad_argument" {
                tell(way, "binary");
            }
        })
        .connect();
    std::mem::forget(client.expect("the worker is there"));
}

fn main() {
    let address = std::env::args().nth(1).expect("the address of a worker");
    start(&address, "polling", TransportType::Polling);
    start(&address, "WebSocket", TransportType::Websocket);
    start(&address, "upgrade", TransportType::WebsocketUpgrade);
    loop {
        std::thread::park();
    }
}
