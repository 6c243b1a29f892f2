module example.com/fairlead/examples

go 1.25.0

replace example.com/fairlead => ../
