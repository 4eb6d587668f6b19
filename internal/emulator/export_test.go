package emulator

// FaultData lets a test fail the steps in which the folder of Data is written; see journal.Options.
func (o *Options) FaultData(fault func(step, file string) error) { o.dataFault = fault }
