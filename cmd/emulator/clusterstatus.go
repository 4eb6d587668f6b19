package main

import (
	"fmt"
	"strings"
	"time"
)

// collect reads the metrics of all instances and a line about each.
func (c *cluster) collect() (total, []string) {
	usage := c.bus.Broker().Usage()
	now := total{at: time.Now()}
	now.operations = usage.Sent + usage.Received + usage.Completed + usage.Settled + usage.Peeked + usage.Managed
	states := make([]string, len(c.instances))
	for n, i := range c.instances {
		states[n] = i.report(&now)
	}
	return now, states
}

func (c *cluster) refreshStatus() {
	now, _ := c.collect()
	c.console.setStatus(now.since(c.samples[0]))
	c.samples = [2]total{now, c.samples[0]}
}

// welcome prints the address of the chat and opens it if -launch was given.
func (c *cluster) welcome() {
	c.console.printf("The chat is at %s: open it in two windows, and they chat across instances.", c.url())
	if c.config.launch {
		openBrowser(c.url(), c.console)
	}
}

func (c *cluster) printStatus() {
	now, states := c.collect()
	var b strings.Builder
	fmt.Fprintf(&b, "%s; %d connections and %d subscriptions to the bus, %d credits spent there\n",
		now.since(c.samples[1]), c.bus.Connections(), c.subscriptions(), c.bus.Broker().Usage().Credits)
	for n, state := range states {
		fmt.Fprintf(&b, "%s%s\n", c.console.name(n+1), state)
	}
	c.console.print(b.String())
}

// subscriptions counts the subscriptions of the bus, orphaned ones included.
func (c *cluster) subscriptions() int {
	b, n := c.bus.Broker(), 0
	for _, t := range b.Topics() {
		if all, err := b.Subscriptions(t.Name); err == nil { // else the topic has just been deleted
			n += len(all)
		}
	}
	return n
}

func (c *cluster) printHelp() {
	var b strings.Builder
	for _, one := range commands() {
		fmt.Fprintf(&b, "  %-19s %s\n", one.name+" "+one.uses, one.help)
	}
	c.console.print(b.String())
}
