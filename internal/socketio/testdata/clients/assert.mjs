// What the cases need of node:assert/strict, for browsers.
const show = (value) => JSON.stringify(value, (_, item) =>
  item === undefined || typeof item === "number" && !Number.isFinite(item) ? `<${item}>` : item);

function ok(value, message = "it is not true") {
  if (!value) throw new Error(message);
}

function matches(value, expected) {
  ok(expected === undefined || expected.test(value), `${value} does not match ${expected}`);
}

export default {
  ok,
  match: matches,

  throws(call, expected) {
    let error = "no error";
    try {
      call();
    } catch (e) {
      error = e;
    }
    matches(error, expected);
  },

  async rejects(promise, expected) {
    matches(await promise.then(() => "no error", (reason) => reason), expected);
  },

  deepEqual(actual, expected, message) {
    ok(show(actual) === show(expected), `${message}:\n${show(actual)}\n${show(expected)}`);
  },
};
