package state

// Settings are what an operator chooses and all instances have to apply alike. They are part of the State, so that they
// outlive the instances; an Adjust command changes them.
type Settings struct {
	Bounds Bounds // without AddressKey: that of the log's beginning stays

	// RetentionMillis is how long lines are kept; 0: for as long as there is room. Instances have older ones dropped by
	// Retain commands.
	RetentionMillis int64
}

// maxRetentionMillis is about 140 years.
const maxRetentionMillis = 1 << 42

// Normal returns the settings with the defaults filled in and within the greatest numbers, as a State has them.
func (s Settings) Normal() Settings {
	s.Bounds.setDefaults()
	s.Bounds.AddressKey = Hash{}
	s.RetentionMillis = min(max(s.RetentionMillis, 0), maxRetentionMillis)
	return s
}

// Settings returns the settings in force.
func (s *State) Settings() Settings {
	return Settings{Bounds: s.bounds, RetentionMillis: s.retention}.Normal()
}

// Adjust changes the settings. It comes with version SettingsSince of the rules.
type Adjust struct {
	_               struct{}    `cbor:",toarray"`
	Bounds          savedBounds // of Settings
	RetentionMillis int64
}

// NewAdjust returns the action that puts settings in force.
func NewAdjust(s Settings) *Adjust {
	s = s.Normal()
	return &Adjust{Bounds: savedBounds{Bounds: s.Bounds}, RetentionMillis: s.RetentionMillis}
}

func (*Adjust) kind() kind    { return adjustKind }
func (*Adjust) since() uint64 { return SettingsSince }

func (c *Adjust) valid() bool {
	s := Settings{Bounds: c.Bounds.Bounds, RetentionMillis: c.RetentionMillis}
	return s == s.Normal()
}

// apply drops at once what is beyond smaller bounds, but for users and rooms: those only become fewer by and by.
func (c *Adjust) apply(s *State, _ origin) Outcome {
	key := s.bounds.AddressKey
	s.bounds, s.retention = c.Bounds.Bounds, c.RetentionMillis
	s.bounds.AddressKey = key
	for _, r := range s.rooms {
		s.trim(r, max(0, len(r.lines)-s.bounds.RoomLines))
	}
	if s.histBytes > s.bounds.HistoryBytes {
		s.trimLargest()
	}
	s.trimSaid()
	s.forgetExpired()
	return Outcome{}
}
