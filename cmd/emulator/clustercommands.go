package main

import (
	"fmt"
)

// instance returns the instance whose number is the argument at a position.
func (c *cluster) instance(a arguments, at int) (*instance, error) {
	n, err := a.number(at)
	if err != nil {
		return nil, err
	}
	if n < 1 || n > len(c.instances) {
		return nil, fmt.Errorf("there is no instance %d", n)
	}
	return c.instances[n-1], nil
}

// chosen returns the instance that an argument names, or all instances if the argument is left out.
func (c *cluster) chosen(a arguments, at int) ([]*instance, error) {
	if at >= len(a) {
		return c.instances, nil
	}
	i, err := c.instance(a, at)
	return []*instance{i}, err
}

func (c *cluster) scale(a arguments) error {
	n, err := a.number(0)
	if err != nil {
		return err
	}
	if n > maxInstances {
		return fmt.Errorf("no more than %d instances", maxInstances)
	}
	return c.setCount(n)
}

func (c *cluster) partition(a arguments) error {
	i, err := c.instance(a, 0)
	if err != nil {
		return err
	}
	d, err := a.duration(1, 0)
	if err == nil {
		i.relay.partition(d)
	}
	return err
}

func (c *cluster) heal(a arguments) error {
	chosen, err := c.chosen(a, 0)
	if err != nil {
		return err
	}
	for _, i := range chosen {
		i.relay.endPartition()
		i.relay.slow(0)
	}
	return nil
}

func (c *cluster) slow(a arguments) error {
	d, err := a.duration(0, 0)
	if err != nil {
		return err
	}
	chosen, err := c.chosen(a, 1)
	if err != nil {
		return err
	}
	for _, i := range chosen {
		i.relay.slow(d)
	}
	return nil
}

func (c *cluster) drop(a arguments) error {
	chosen, err := c.chosen(a, 0)
	if err != nil {
		return err
	}
	for _, i := range chosen {
		i.say("%d connections to the bus broken", i.relay.drop())
	}
	return nil
}

// standardCredits is the Standard tier's limit a second ("Throttling operations on Azure Service
// Bus").
const standardCredits = 1000

func (c *cluster) throttle(a arguments) error {
	credits := standardCredits
	switch a[0] {
	case "on":
	case "off":
		credits = 0
	default:
		var err error
		if credits, err = a.number(0); err != nil {
			return err
		}
	}
	c.bus.Broker().Throttle(credits)
	return nil
}

func (c *cluster) busy(a arguments) error {
	d, err := a.duration(0, 0)
	if err == nil {
		c.bus.ServerBusy(d)
	}
	return err
}

func (c *cluster) restartBus(arguments) error {
	if err := c.bus.Restart(); err != nil {
		return fmt.Errorf("restart the bus: %w", err)
	}
	c.console.printf("%sstopped and started again", c.console.busName())
	return nil
}
