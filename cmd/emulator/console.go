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

// command is something that can be told to the local cloud, on its console or by -at.
type command struct {
	name string
	uses string // arguments; those in brackets may be left out
	help string
	do   func(*cloud, arguments) error
}

// arguments are those of one command, words.
type arguments []string

// number reads the argument at i as an instance's number, or as another count.
func (a arguments) number(i int) (int, error) {
	n, err := strconv.Atoi(a[i])
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is no number", a[i])
	}
	return n, nil
}

// duration reads the argument at i, "0" and "off" included; fallback if it is left out.
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

// commands are all there are, in the order in which help shows them.
func commands() []command {
	return []command{
		{"status", "", "how everything is", func(c *cloud, _ arguments) error { return c.tellStatus() }},
		{"kill", "N", "end instance N at once, with nobody told", each((*instance).kill)},
		{"drain", "N", "end instance N as a platform does: SIGTERM, clients released to the others", each((*instance).drain)},
		{"start", "N", "start instance N again", each((*instance).start)},
		{"restart", "N", "drain instance N and start it again", each((*instance).restart)},
		{"scale", "N", "have N instances", (*cloud).scale},
		{"pause", "N", "stop instance N where it is (SIGSTOP)", each((*instance).pause)},
		{"resume", "N", "let instance N go on", each((*instance).resume)},
		{"partition", "N [D]", "let nothing pass between instance N and the bus, for D or until heal", (*cloud).partition},
		{"heal", "[N]", "end partitions and slowness, of all instances or of N", (*cloud).heal},
		{"slow", "D [N]", "delay what passes between instances, or N, and the bus by D each way; 0 ends it", (*cloud).slow},
		{"drop", "[N]", "break the connections of all instances, or of N, to the bus", (*cloud).drop},
		{"throttle", "on|off|N", "limit the bus to the Standard tier's 1000 credits a second, or to N", (*cloud).throttle},
		{"busy", "D", "have the bus refuse work for D, as when it is throttled; 0 ends it", (*cloud).busy},
		{"restart-bus", "", "stop and start the bus, with all it holds", (*cloud).restartBus},
		{"help", "", "this list", func(c *cloud, _ arguments) error { return c.tellHelp() }},
		{"quit", "", "end everything, as Ctrl-C does", func(c *cloud, _ arguments) error { c.quit(); return nil }},
	}
}

// each makes a command of what can be done with one instance.
func each(do func(*instance) error) func(*cloud, arguments) error {
	return func(c *cloud, a arguments) error {
		i, err := c.instance(a, 0)
		if err != nil {
			return err
		}
		return do(i)
	}
}

// parseCommand finds the command of a line, and checks that it has as many arguments as it wants.
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

// perform does what a line says, and prints what came of it where there is something to say.
func (c *cloud) perform(line string) {
	if strings.TrimSpace(line) == "" {
		return
	}
	found, given, err := parseCommand(line)
	if err == nil {
		err = found.do(c, given)
	}
	if err != nil {
		c.screen.printf("%s: %v", strings.TrimSpace(line), err)
	}
}

// readCommands gives the lines of a console until it ends or ctx does. A read under way then stays until the process ends.
func readCommands(ctx context.Context, console io.Reader, lines chan<- string) {
	scanner := bufio.NewScanner(console)
	for scanner.Scan() {
		select {
		case lines <- scanner.Text():
		case <-ctx.Done():
			return
		}
	}
}

// scheduled is a command to perform some time after the start.
type scheduled struct {
	after time.Duration
	line  string
}

// parseScheduled reads the value of -at, such as "10s=kill 2" or "10s=kill:2".
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
