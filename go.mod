module chatapp

go 1.26
