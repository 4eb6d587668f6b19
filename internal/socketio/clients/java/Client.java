import io.socket.client.Ack;
import io.socket.client.IO;
import io.socket.client.Manager;
import io.socket.client.Socket;
import java.lang.reflect.Field;
import java.net.URI;
import org.json.JSONObject;

/** The Java client of the matrix. The argument is the address of a worker. See clients_test.go for what is printed. */
public class Client {
  private static final String NAME = "socket.io-client-java 2.1.2";

  private final String way;
  private final String nickname;
  private final Socket socket;
  private int connections;
  private boolean upgraded;

  Client(String address, String way, String... transports) {
    IO.Options options = new IO.Options();
    options.forceNew = true;
    options.transports = transports;
    this.way = way;
    nickname = "java-" + way;
    socket = IO.socket(URI.create(address), options);
    socket.io().on(Manager.EVENT_OPEN, nothing -> {
      upgraded = false;
      engine().once(io.socket.engineio.client.Socket.EVENT_UPGRADE, transport -> {
        upgraded = true;
        ready();
      });
    });
    socket.on(Socket.EVENT_CONNECT, nothing -> {
      connections++;
      ready();
    });
    socket.connect();
  }

  /** Returns the connection below the socket, to which the library gives no access. */
  private io.socket.engineio.client.Socket engine() {
    try {
      Field engine = Manager.class.getDeclaredField("engine");
      engine.setAccessible(true);
      return (io.socket.engineio.client.Socket) engine.get(socket.io());
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Goes on when the socket is connected by the transport that is wanted. */
  private void ready() {
    if (!socket.connected() || way.equals("upgrade") && !upgraded) {
      return;
    }
    int number = connections;
    if (number == 1) {
      tell("connect");
    }
    socket.emit("nickname", nickname, (Ack) answer -> {
      if (Boolean.TRUE.equals(answer[0])) {
        return;
      }
      tell(new String[] {"name", "SIGTERM", "kill"}[number - 1]);
      if (number == 1) {
        speak();
      }
    });
  }

  private void speak() {
    socket.emit("user message", "hello", new JSONObject(), (Ack) answer -> {
      if (((JSONObject) answer[0]).optBoolean("ok")) {
        tell("ack");
      }
    });
    socket.emit("user message", new byte[] {1, 2, 3}, new JSONObject(), (Ack) answer -> {
      if (((JSONObject) answer[0]).optString("code").equals("bad_argument")) {
        tell("binary");
      }
    });
  }

  private void tell(String step) {
    System.out.println("{\"client\":\"" + NAME + "\",\"way\":\"" + way + "\",\"nickname\":\"" + nickname
        + "\",\"step\":\"" + step + "\"}");
  }

  public static void main(String[] arguments) {
    new Client(arguments[0], "polling", "polling");
    new Client(arguments[0], "WebSocket", "websocket");
    new Client(arguments[0], "upgrade", "polling", "websocket");
  }
}
