module ottla/compat/records

go 1.23
