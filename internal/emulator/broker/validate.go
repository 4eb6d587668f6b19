package broker

import (
	"strings"
	"time"
)

const (
	minLock         = 5 * time.Second
	maxLock         = 5 * time.Minute
	minIdle         = 5 * time.Minute
	minDuplicates   = 20 * time.Second
	maxDuplicates   = 7 * 24 * time.Hour
	maxMetadata     = 1024
	maxPath         = 260
	maxSubName      = 50
	maxDeliverCount = 2000
)

// checkQueue sets the defaults of unset fields and refuses a description that the service refuses.
func (b *Broker) checkQueue(d *QueueDescription) error {
	def := DefaultQueue(d.Name)
	fill(&d.LockDuration, def.LockDuration)
	fill(&d.MaxSizeInMegabytes, def.MaxSizeInMegabytes)
	fill(&d.DefaultMessageTimeToLive, Unlimited)
	fill(&d.DuplicateDetectionHistoryTimeWindow, def.DuplicateDetectionHistoryTimeWindow)
	fill(&d.MaxDeliveryCount, def.MaxDeliveryCount)
	fill(&d.AutoDeleteOnIdle, Unlimited)
	fill(&d.MaxMessageSizeInKilobytes, b.defaultMessageKilobytes())
	if err := checkPath(d.Name); err != nil {
		return err
	}
	err := checkLimits(d.LockDuration, d.DefaultMessageTimeToLive, d.AutoDeleteOnIdle, d.MaxDeliveryCount,
		d.UserMetadata)
	if err != nil {
		return err
	}
	err = b.checkSizes(d.MaxSizeInMegabytes, d.EnablePartitioning, d.MaxMessageSizeInKilobytes,
		d.DuplicateDetectionHistoryTimeWindow)
	if err != nil {
		return err
	}
	if d.ForwardTo != "" {
		d.AutoDeleteOnIdle = Unlimited // forwarding counts as use ("Chaining Service Bus entities with autoforwarding")
	}
	d.ForwardTo, d.ForwardDeadLetteredMessagesTo = address(d.ForwardTo), address(d.ForwardDeadLetteredMessagesTo)
	return checkForwards(d.Name, d.ForwardTo, d.RequiresSession)
}

func (b *Broker) checkTopic(d *TopicDescription) error {
	def := DefaultTopic(d.Name)
	fill(&d.MaxSizeInMegabytes, def.MaxSizeInMegabytes)
	fill(&d.DefaultMessageTimeToLive, Unlimited)
	fill(&d.DuplicateDetectionHistoryTimeWindow, def.DuplicateDetectionHistoryTimeWindow)
	fill(&d.AutoDeleteOnIdle, Unlimited)
	fill(&d.MaxMessageSizeInKilobytes, b.defaultMessageKilobytes())
	if err := checkPath(d.Name); err != nil {
		return err
	}
	if err := checkLimits(minLock, d.DefaultMessageTimeToLive, d.AutoDeleteOnIdle, 1, d.UserMetadata); err != nil {
		return err
	}
	return b.checkSizes(d.MaxSizeInMegabytes, d.EnablePartitioning, d.MaxMessageSizeInKilobytes,
		d.DuplicateDetectionHistoryTimeWindow)
}

func (b *Broker) checkSubscription(d *SubscriptionDescription) error {
	def := DefaultSubscription(d.Topic, d.Name)
	fill(&d.LockDuration, def.LockDuration)
	fill(&d.DefaultMessageTimeToLive, Unlimited)
	fill(&d.MaxDeliveryCount, def.MaxDeliveryCount)
	fill(&d.AutoDeleteOnIdle, Unlimited)
	if err := checkName("subscription", d.Name, maxSubName); err != nil {
		return err
	}
	if strings.Contains(d.Name, "/") {
		return errorf(CodeInvalidArgument, "The name of the subscription '%s' contains a slash.", d.Name)
	}
	err := checkLimits(d.LockDuration, d.DefaultMessageTimeToLive, d.AutoDeleteOnIdle, d.MaxDeliveryCount,
		d.UserMetadata)
	if err != nil {
		return err
	}
	if d.ForwardTo != "" {
		d.AutoDeleteOnIdle = Unlimited
	}
	d.ForwardTo, d.ForwardDeadLetteredMessagesTo = address(d.ForwardTo), address(d.ForwardDeadLetteredMessagesTo)
	return checkForwards(d.Topic+subscriptionsSegment+d.Name, d.ForwardTo, d.RequiresSession)
}

func fill[T comparable](field *T, value T) {
	if *field == *new(T) {
		*field = value
	}
}

func (b *Broker) defaultMessageKilobytes() int {
	if b.options.Tier == Premium {
		return 1024
	}
	return 256
}

func checkPath(name string) error {
	if err := checkName("entity", name, maxPath); err != nil {
		return err
	}
	if strings.HasPrefix(name, "/") || strings.HasSuffix(name, "/") || strings.Contains(name, "//") {
		return errorf(CodeInvalidArgument, "'%s' is not a valid entity name.", name)
	}
	if _, _, is := splitSubscription(name); is {
		return errorf(CodeInvalidArgument, "'%s' is the name of a subscription.", name)
	}
	return nil
}

func checkLimits(lock, ttl, idle time.Duration, deliveries int, metadata string) error {
	switch {
	case lock < minLock || lock > maxLock:
		return errorf(CodeArgumentOutOfRange,
			"The value supplied for LockDuration must be between %s and %s, not %s.", minLock, maxLock, lock)
	case ttl < time.Second:
		return errorf(CodeArgumentOutOfRange,
			"The value supplied for DefaultMessageTimeToLive must be at least 1s, not %s.", ttl)
	case idle < minIdle:
		return errorf(CodeArgumentOutOfRange, "The value supplied for AutoDeleteOnIdle must be at least %s, not %s.",
			minIdle, idle)
	case deliveries < 1 || deliveries > maxDeliverCount:
		return errorf(CodeArgumentOutOfRange,
			"The value supplied for MaxDeliveryCount must be between 1 and %d, not %d.", maxDeliverCount, deliveries)
	case len(metadata) > maxMetadata:
		return errorf(CodeArgumentOutOfRange, "The length of UserMetadata exceeds %d characters.", maxMetadata)
	}
	return nil
}

// partitions is the number of partitions of a partitioned entity in the Standard tier. Each has the requested size. The
// service reports the sum, and an update has to repeat the sum.
const partitions = 16

// The sizes of an entity, or of one partition, are a multiple of stepMegabytes.
const (
	stepMegabytes = 1024
	maxMegabytes  = 5 * stepMegabytes
)

// multiplyByPartitions converts the size requested at creation to the sum of all partitions.
func multiplyByPartitions(partitioned bool, megabytes *int) error {
	if !partitioned {
		return nil
	}
	if *megabytes > maxMegabytes {
		return errSize(maxMegabytes, *megabytes)
	}
	*megabytes *= partitions
	return nil
}

func errSize(limit, value int) error {
	return errorf(CodeInvalidArgument, "The value for the MaxSizeInMegabytes property must be a multiple of %d "+
		"between %d and %d, not %d.", stepMegabytes, stepMegabytes, limit, value)
}

func (b *Broker) checkSizes(megabytes int, partitioned bool, messageKilobytes int, window time.Duration) error {
	limitMB, leastKB, limitKB := maxMegabytes, 1, 256
	switch {
	case b.options.Tier == Premium && partitioned:
		return errorf(CodeInvalidArgument, "Partitioned entities are not supported in a Premium namespace.")
	case b.options.Tier == Premium:
		limitMB, leastKB, limitKB = 80*stepMegabytes, 1024, 100<<10
	case partitioned:
		limitMB *= partitions
	}
	switch {
	case megabytes < stepMegabytes || megabytes > limitMB || megabytes%stepMegabytes != 0:
		return errSize(limitMB, megabytes)
	case messageKilobytes < leastKB || messageKilobytes > limitKB:
		return errorf(CodeInvalidArgument,
			"The value for 'MaxMessageSizeInKilobytes' must be between %d and %d, not %d.",
			leastKB, limitKB, messageKilobytes)
	case window < minDuplicates || window > maxDuplicates:
		return errorf(CodeArgumentOutOfRange,
			"The value supplied for DuplicateDetectionHistoryTimeWindow must be between %s and %s, not %s.",
			minDuplicates, maxDuplicates, window)
	}
	return nil
}

// checkDestinationsLocked refuses to forward to an entity that does not exist.
func (b *Broker) checkDestinationsLocked(names ...string) error {
	for _, name := range names {
		if key := entityKey(destination(name)); key != "" && b.queues[key] == nil && b.topics[key] == nil {
			return errorf(CodeInvalidArgument,
				"SubCode=40400. The auto forwarding destination entity '%s' does not exist.", name)
		}
	}
	return nil
}

// address returns ForwardTo as the service keeps it: of an address, scheme and host in lower case.
func address(forwardTo string) string {
	scheme, rest, ok := strings.Cut(forwardTo, "://")
	if !ok {
		return forwardTo
	}
	host, path, _ := strings.Cut(rest, "/")
	return strings.ToLower(scheme+"://"+host) + "/" + path
}

// destination returns the name of the entity in ForwardTo, which holds a name or an address.
func destination(forwardTo string) string {
	if _, rest, ok := strings.Cut(forwardTo, "://"); ok {
		_, forwardTo, _ = strings.Cut(rest, "/")
	}
	return strings.Trim(forwardTo, "/")
}

// checkForwards refuses to forward from an entity with sessions, as the service does. An entity may forward to itself
// once it exists, as Microsoft's own tests of the Python SDK have it do: the message is a transfer dead letter after
// the last hop.
func checkForwards(path, to string, sessions bool) error {
	if sessions && to != "" {
		return errorf(CodeInvalidArgument, "SubCode=40000. Bad Request. "+
			"Auto-forwarding is not supported for the session-enabled entity '%s'.", path)
	}
	return nil
}

// checkName refuses names that the service refuses ("Naming rules and restrictions for Azure resources").
func checkName(kind, name string, limit int) *Error {
	switch {
	case name == "":
		return errorf(CodeInvalidArgument, "The %s has no name.", kind)
	case len(name) > limit:
		return errorf(CodeInvalidArgument, "The name of the %s '%s' exceeds the limit of %d characters.", kind, name,
			limit)
	case strings.ContainsFunc(name, func(r rune) bool { return !isNameRune(r) }):
		return errorf(CodeInvalidArgument, "'%s' contains character(s) that is not allowed by Service Bus. "+
			"Entity segments can contain only letters, numbers, periods (.), hyphens (-), and underscores (_).", name)
	case strings.ContainsRune("._-", rune(name[0])) || strings.ContainsRune("._-", rune(name[len(name)-1])):
		return errorf(CodeInvalidArgument, "The name of the %s '%s' does not begin and end with a letter or number.",
			kind, name)
	}
	return nil
}

func isNameRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._-/~", r)
}
