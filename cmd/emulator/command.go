package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// command is one command of the local cluster, typed on the terminal or scheduled by -at.
type command struct {
	name string
	uses string // arguments; those in brackets are optional
	help string
	do   func(*cluster, arguments) error
}

// arguments holds the words after a command's name.
type arguments []string

// number parses the argument at i as a number that is not negative.
func (a arguments) number(i int) (int, error) {
	n, err := strconv.Atoi(a[i])
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is no number", a[i])
	}
	return n, nil
}

// duration parses the argument at i. "off" is 0; a missing argument is the fallback.
func (a arguments) duration(i int, fallback time.Duration) (time.Duration, error) {
	if i >= len(a) {
		return fallback, nil
	}
	if a[i] == "off" {
		return 0, nil
	}
	d, err := time.ParseDuration(a[i])
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is no duration such as 500ms or 10s", a[i])
	}
	return d, nil
}

// commands returns all commands in the order of help.
func commands() []command {
	return []command{
		{"status", "", "show the state of everything", always((*cluster).printStatus)},
		{"kill", "N", "end instance N at once, without a drain (SIGKILL)", each((*instance).kill)},
		{"drain", "N", "end instance N as a platform does: SIGTERM, clients move to the others",
			each((*instance).drain)},
		{"start", "N", "start instance N again", each((*instance).start)},
		{"restart", "N", "drain instance N and start it again", each((*instance).restart)},
		{"scale", "N", "run N instances", (*cluster).scale},
		{"pause", "N", "suspend instance N (SIGSTOP)", each((*instance).pause)},
		{"resume", "N", "continue instance N", each((*instance).resume)},
		{"partition", "N [D]", "let nothing pass between instance N and the bus, for D or until heal",
			(*cluster).partition},
		{"heal", "[N]", "end partitions and delays of all instances, or of N", (*cluster).heal},
		{"slow", "D [N]", "delay traffic between all instances, or N, and the bus by D each way; 0 ends it",
			(*cluster).slow},
		{"drop", "[N]", "break the connections of all instances, or of N, to the bus", (*cluster).drop},
		{"throttle", "on|off|N", "limit the bus to the Standard tier's 1000 credits a second, or to N",
			(*cluster).throttle},
		{"busy", "D", "let the bus refuse requests for D, as when it throttles; 0 ends it", (*cluster).busy},
		{"restart-bus", "", "stop and start the bus, keeping its entities and messages", (*cluster).restartBus},
		{"help", "", "list the commands", always((*cluster).printHelp)},
		{"quit", "", "end everything, as Ctrl-C does", always(func(c *cluster) { c.quit() })},
	}
}

// always turns a method that can't fail into a command without arguments.
func always(do func(*cluster)) func(*cluster, arguments) error {
	return func(c *cluster, _ arguments) error {
		do(c)
		return nil
	}
}

// each turns a method of an instance into a command with the instance's number as argument.
func each(do func(*instance) error) func(*cluster, arguments) error {
	return func(c *cluster, a arguments) error {
		i, err := c.instance(a, 0)
		if err != nil {
			return err
		}
		return do(i)
	}
}

// parseCommand splits a line into a command and its arguments, and checks their number.
func parseCommand(line string) (command, arguments, error) {
	words := strings.Fields(line)
	if len(words) == 0 {
		return command{}, nil, errors.New("no command")
	}
	all := commands()
	i := slices.IndexFunc(all, func(c command) bool { return c.name == strings.ToLower(words[0]) })
	if i < 0 {
		return command{}, nil, fmt.Errorf("there is no command %q; help lists those there are", words[0])
	}
	found, given := all[i], arguments(words[1:])
	most := len(strings.Fields(found.uses))
	least := most - strings.Count(found.uses, "[")
	if len(given) < least || len(given) > most {
		return command{}, nil, fmt.Errorf("use: %s", strings.TrimSpace(found.name+" "+found.uses))
	}
	return found, given, nil
}

// perform executes a line and prints the error, if any.
func (c *cluster) perform(line string) {
	if strings.TrimSpace(line) == "" {
		return
	}
	found, given, err := parseCommand(line)
	if err == nil {
		err = found.do(c, given)
	}
	if err != nil {
		c.console.printf("%s: %v", strings.TrimSpace(line), err)
	}
}

// readCommands sends the lines of an input until the input or ctx ends. A read under way outlives
// ctx: it ends with the process.
func readCommands(ctx context.Context, input io.Reader, lines chan<- string) {
	scanner := bufio.NewScanner(input)
	for scanner.Scan() {
		select {
		case lines <- scanner.Text():
		case <-ctx.Done():
			return
		}
	}
}

// scheduled is a command of -at.
type scheduled struct {
	after time.Duration
	line  string
}

// parseScheduled reads a value of -at, such as "10s=kill 2" or "10s=kill:2".
func parseScheduled(s string) (scheduled, error) {
	when, line, found := strings.Cut(s, "=")
	after, err := time.ParseDuration(when)
	if !found || err != nil || after < 0 {
		return scheduled{}, errors.New("want a time after the start and a command, such as 10s=kill:2")
	}
	line = strings.ReplaceAll(line, ":", " ")
	_, _, err = parseCommand(line)
	return scheduled{after, line}, err
}
