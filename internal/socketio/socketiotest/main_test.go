package socketiotest

import (
	"testing"

	"chatapp/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }
